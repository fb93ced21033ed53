CREATE SCHEMA reversal;
CREATE TABLE reversal.blocks (
    experiment_id text NOT NULL,
    pseudonym text NOT NULL,
    block text NOT NULL,
    variant text NOT NULL
);
CREATE TABLE reversal.candles (
    experiment_id text NOT NULL,
    pair text NOT NULL,
    timeframe text NOT NULL,
    candle text NOT NULL,
    first_at bigint NOT NULL,
    a_predictions bigint DEFAULT 0 NOT NULL,
    a_holds bigint DEFAULT 0 NOT NULL,
    a_longs bigint DEFAULT 0 NOT NULL,
    a_shorts bigint DEFAULT 0 NOT NULL,
    a_confidence double precision DEFAULT 0 NOT NULL,
    a_confidence_squares double precision DEFAULT 0 NOT NULL,
    a_wins bigint DEFAULT 0 NOT NULL,
    a_losses bigint DEFAULT 0 NOT NULL,
    a_neutrals bigint DEFAULT 0 NOT NULL,
    a_pnl double precision DEFAULT 0 NOT NULL,
    a_pnl_count bigint DEFAULT 0 NOT NULL,
    b_predictions bigint DEFAULT 0 NOT NULL,
    b_holds bigint DEFAULT 0 NOT NULL,
    b_longs bigint DEFAULT 0 NOT NULL,
    b_shorts bigint DEFAULT 0 NOT NULL,
    b_confidence double precision DEFAULT 0 NOT NULL,
    b_confidence_squares double precision DEFAULT 0 NOT NULL,
    b_wins bigint DEFAULT 0 NOT NULL,
    b_losses bigint DEFAULT 0 NOT NULL,
    b_neutrals bigint DEFAULT 0 NOT NULL,
    b_pnl double precision DEFAULT 0 NOT NULL,
    b_pnl_count bigint DEFAULT 0 NOT NULL,
    label integer DEFAULT '-1'::integer NOT NULL,
    move_pips double precision,
    labelled_at bigint
);
CREATE TABLE reversal.experiments (
    experiment_id text NOT NULL,
    created_at bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE reversal.exposures (
    prediction_id text NOT NULL,
    answered_at bigint NOT NULL,
    experiment_id text NOT NULL,
    variant text NOT NULL,
    version text NOT NULL,
    fallback_reason text,
    pseudonym text,
    pair text NOT NULL,
    timeframe text NOT NULL,
    candle text NOT NULL,
    signal text NOT NULL,
    confidence double precision NOT NULL,
    stage1_prob double precision NOT NULL,
    stage2_prob double precision,
    latency_us bigint NOT NULL,
    slow boolean NOT NULL,
    warnings text,
    window_key text DEFAULT ''::text NOT NULL,
    block text DEFAULT ''::text NOT NULL
);
CREATE TABLE reversal.journals (
    name text NOT NULL,
    upto bigint NOT NULL
);
CREATE TABLE reversal.meta (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE reversal.outcomes (
    prediction_id text NOT NULL,
    outcome text NOT NULL,
    pnl_pips double precision,
    closed_at bigint,
    reported_at bigint NOT NULL
);
CREATE TABLE reversal.scores (
    experiment_id text NOT NULL,
    pair text NOT NULL,
    timeframe text NOT NULL,
    candle text NOT NULL,
    window_key text NOT NULL,
    scored_at bigint,
    a_signal text,
    a_confidence double precision,
    b_signal text,
    b_confidence double precision,
    wins bigint DEFAULT 0 NOT NULL,
    losses bigint DEFAULT 0 NOT NULL,
    neutrals bigint DEFAULT 0 NOT NULL,
    pnl double precision DEFAULT 0 NOT NULL,
    pnl_count bigint DEFAULT 0 NOT NULL
);
CREATE TABLE reversal.state (
    revision bigint NOT NULL,
    body text NOT NULL,
    experiment_id text
);
CREATE TABLE reversal.totals (
    experiment_id text NOT NULL,
    variant text NOT NULL,
    fallbacks bigint NOT NULL,
    failures bigint NOT NULL,
    slow bigint NOT NULL,
    unrecorded bigint NOT NULL
);
CREATE TABLE reversal.users (
    experiment_id text NOT NULL,
    pseudonym text NOT NULL,
    variant text NOT NULL
);
CREATE TABLE reversal.warned (
    experiment_id text NOT NULL,
    variant text NOT NULL,
    code text NOT NULL,
    answers bigint NOT NULL
);
INSERT INTO reversal.blocks VALUES ('crossover', '92c11735567b381231bb6a1361fe770e', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', '92c11735567b381231bb6a1361fe770e', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', '92c11735567b381231bb6a1361fe770e', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984233393527, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984233424284);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984233397308, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984233424284);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984233400015, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984233424284);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984233402622, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984233424284);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984233405049, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984233424284);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984233482665, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984233485242, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984233487712, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984233512297, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984233507762, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984233371351, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984233371351,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984233376464, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984233376464,"activated_at":1795984233381443,"stopped_at":1795984233463728,"stop_reason":"stopped by request","imported":null}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984233496784, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984233496784,"activated_at":1795984233500763,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984233471552, '{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984233471552,"activated_at":1795984233475341,"stopped_at":1795984233500769,"stop_reason":"experiment shadow was activated","imported":null}');
INSERT INTO reversal.exposures VALUES ('01a22900-93b1-7d5f-a1d5-01821928a015', 1795984233393527, 'split', 'B', 'v3.1', NULL, '0709815168d7de069757cff6910e7ef8', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1281, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-93b5-7128-a222-c98211480c45', 1795984233397308, 'split', 'A', 'v3.0', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 866, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-93b8-7db7-9255-e0bfb13eb64f', 1795984233400015, 'split', 'A', 'v3.0', NULL, '33eb951718785e2678f93b47af9a2fbc', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 684, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-93ba-7a95-ae9e-f7a8d3fcb33b', 1795984233402622, 'split', 'B', 'v3.1', NULL, '1f37e9aee227e97ae86abbfe33f6510d', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 661, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-93bd-705c-a626-6776f4e844d8', 1795984233405049, 'split', 'B', 'v3.1', NULL, '37d72f7c5afce981f4fab52796772c1e', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 665, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-940a-7fa7-b8f5-067f7a3d047c', 1795984233482665, 'crossover', 'B', 'v3.1', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 957, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22900-940d-72df-8532-a8acaa4a9a3c', 1795984233485242, 'crossover', 'A', 'v3.0', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 777, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22900-940f-7c87-ab06-ddff7f5679d5', 1795984233487712, 'crossover', 'A', 'v3.0', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 747, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22900-9423-7719-ab92-a0e9bbff898d', 1795984233507762, 'shadow', 'A', 'v3.1', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 757, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-9426-7398-b26b-d54443a71bf9', 1795984233510087, 'shadow', 'A', 'v3.1', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 547, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-9428-7e53-80bd-de9bffd40a6e', 1795984233512297, 'shadow', 'A', 'v3.1', NULL, '92c11735567b381231bb6a1361fe770e', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 530, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984233213087763-14284-fb5a77ab80413a72.jsonl', 3313);
INSERT INTO reversal.meta VALUES ('schema', '4');
INSERT INTO reversal.meta VALUES ('user_key', '3b76d02418bb607dceb2f682ee2acac1093eda530e17c059b61daeddaaea5eec');
INSERT INTO reversal.outcomes VALUES ('01a22900-93b1-7d5f-a1d5-01821928a015', 'win', 12.5, NULL, 1795984233417499);
INSERT INTO reversal.outcomes VALUES ('01a22900-93b5-7128-a222-c98211480c45', 'loss', -8, NULL, 1795984233417499);
INSERT INTO reversal.outcomes VALUES ('01a22900-93b8-7db7-9255-e0bfb13eb64f', 'neutral', NULL, NULL, 1795984233417499);
INSERT INTO reversal.outcomes VALUES ('01a22900-9423-7719-ab92-a0e9bbff898d', 'win', 3, NULL, 1795984233521249);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984233513502, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984233513502, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '0709815168d7de069757cff6910e7ef8', 'B');
INSERT INTO reversal.users VALUES ('split', '1f37e9aee227e97ae86abbfe33f6510d', 'B');
INSERT INTO reversal.users VALUES ('split', '33eb951718785e2678f93b47af9a2fbc', 'A');
INSERT INTO reversal.users VALUES ('split', '37d72f7c5afce981f4fab52796772c1e', 'B');
INSERT INTO reversal.users VALUES ('split', '92c11735567b381231bb6a1361fe770e', 'A');
INSERT INTO reversal.users VALUES ('crossover', '92c11735567b381231bb6a1361fe770e', 'A');
INSERT INTO reversal.users VALUES ('crossover', '92c11735567b381231bb6a1361fe770e', 'B');
INSERT INTO reversal.users VALUES ('shadow', '92c11735567b381231bb6a1361fe770e', 'A');
INSERT INTO reversal.warned VALUES ('split', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('split', 'B', 'OUT_OF_RANGE', 3);
INSERT INTO reversal.warned VALUES ('crossover', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('crossover', 'B', 'OUT_OF_RANGE', 1);
INSERT INTO reversal.warned VALUES ('shadow', 'A', 'OUT_OF_RANGE', 3);
ALTER TABLE ONLY reversal.blocks
    ADD CONSTRAINT blocks_pkey PRIMARY KEY (experiment_id, pseudonym, block, variant);
ALTER TABLE ONLY reversal.candles
    ADD CONSTRAINT candles_pkey PRIMARY KEY (experiment_id, pair, timeframe, candle);
ALTER TABLE ONLY reversal.experiments
    ADD CONSTRAINT experiments_pkey PRIMARY KEY (experiment_id);
ALTER TABLE ONLY reversal.exposures
    ADD CONSTRAINT exposures_pkey PRIMARY KEY (prediction_id);
ALTER TABLE ONLY reversal.journals
    ADD CONSTRAINT journals_pkey PRIMARY KEY (name);
ALTER TABLE ONLY reversal.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY reversal.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (prediction_id);
ALTER TABLE ONLY reversal.scores
    ADD CONSTRAINT scores_pkey PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key);
ALTER TABLE ONLY reversal.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (experiment_id, variant);
ALTER TABLE ONLY reversal.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (experiment_id, pseudonym, variant);
ALTER TABLE ONLY reversal.warned
    ADD CONSTRAINT warned_pkey PRIMARY KEY (experiment_id, variant, code);
CREATE INDEX exposures_by_time ON reversal.exposures USING btree (experiment_id, answered_at, prediction_id);
