CREATE SCHEMA reversal;
CREATE TABLE reversal.beside (
    experiment_id text NOT NULL,
    reason text NOT NULL,
    requests bigint NOT NULL
);
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
CREATE TABLE reversal.looks (
    experiment_id text NOT NULL,
    slot bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE reversal.meta (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE reversal.minutes (
    experiment_id text NOT NULL,
    variant text NOT NULL,
    minute bigint NOT NULL,
    requests bigint NOT NULL,
    fallbacks bigint NOT NULL,
    failures bigint NOT NULL,
    refused bigint NOT NULL,
    slow bigint NOT NULL
);
CREATE TABLE reversal.notes (
    experiment_id text NOT NULL,
    number bigint NOT NULL,
    noted_at bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE reversal.outcomes (
    prediction_id text NOT NULL,
    outcome text NOT NULL,
    pnl_pips double precision,
    closed_at bigint,
    reported_at bigint NOT NULL
);
CREATE TABLE reversal.replicas (
    replica_id text NOT NULL,
    seen_at bigint NOT NULL,
    body text NOT NULL
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
    pnl_count bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL
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
    unrecorded bigint NOT NULL,
    refused bigint DEFAULT 0 NOT NULL,
    late bigint DEFAULT 0 NOT NULL
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
INSERT INTO reversal.blocks VALUES ('crossover', 'eaf23158d8262df1fb6eccf868b6d976', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', 'eaf23158d8262df1fb6eccf868b6d976', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', 'eaf23158d8262df1fb6eccf868b6d976', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984267799374, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984267852513);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984267802888, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984267852513);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984267805432, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984267852513);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984267807811, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984267852513);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984267810089, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984267852513);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984267959737, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984267962981, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984267965364, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984268083391, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984268062856, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984267779589, '{"experiment_id":"draft","name":"Not yet","description":"A draft","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"draft","created_at":1795984267779589,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('split', 1795984267784704, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984267784704,"activated_at":1795984267789182,"stopped_at":1795984267917549,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984267852513,"chosen_by":"anybody"}]}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984268021375, '{"experiment_id":"shadow","name":"Shadow","description":"","owner":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"active","created_at":1795984268021375,"activated_at":1795984268038589,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984267934485, '{"experiment_id":"crossover","name":"Crossover","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984267934485,"activated_at":1795984267946456,"stopped_at":1795984268039026,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO reversal.exposures VALUES ('01a22901-1a17-7f1e-8763-7da2d690693d', 1795984267799374, 'split', 'B', 'v3.1', NULL, 'd07c8e699d52b072ec5f73b9574bafb2', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1246, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1a1a-7c33-a971-9a7ba6dd5345', 1795984267802888, 'split', 'A', 'v3.0', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 716, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1a1d-769c-94aa-78e2502560f5', 1795984267805432, 'split', 'A', 'v3.0', NULL, '617d30109e68eae60a09e241cbc529d5', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 643, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1a1f-7c01-98b9-181e35799a66', 1795984267807811, 'split', 'B', 'v3.1', NULL, '544f5ef8c87b03ff2ec985ec67afb6b1', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 623, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1a22-775a-9be3-16769155c8f1', 1795984267810089, 'split', 'B', 'v3.1', NULL, '4f8ed22c3d106058f479423a6cac6e98', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 574, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1ab7-7295-931c-6c21634cd1ef', 1795984267959737, 'crossover', 'B', 'v3.1', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 943, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22901-1aba-77be-961e-b5e143a0d979', 1795984267962981, 'crossover', 'A', 'v3.0', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 714, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22901-1abd-7e28-8f0b-30f995b15bb3', 1795984267965364, 'crossover', 'A', 'v3.0', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 690, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22901-1b1e-7b3f-a9f2-e8308184cce3', 1795984268062856, 'shadow', 'A', 'v3.1', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 806, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1b27-7555-ba7c-6eb7f402e2ca', 1795984268071212, 'shadow', 'A', 'v3.1', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 617, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22901-1b33-7e0d-a1e4-37960d6a9e26', 1795984268083391, 'shadow', 'A', 'v3.1', NULL, 'eaf23158d8262df1fb6eccf868b6d976', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 777, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984267046523369-14833-cb0d3c98f044b30f.jsonl', 3313);
INSERT INTO reversal.looks VALUES ('split', 1995538, '{"at":1795984267887492,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
INSERT INTO reversal.meta VALUES ('schema', '9');
INSERT INTO reversal.meta VALUES ('user_key', '16ce69d2808c524a541f6e4fca5b16699144383a55059cf2fdd24a5a78abf939');
INSERT INTO reversal.minutes VALUES ('split', 'B', 29933071, 3, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('split', 'A', 29933071, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'B', 29933071, 1, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'A', 29933071, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('shadow', 'A', 29933071, 3, 0, 0, 0, 0);
INSERT INTO reversal.notes VALUES ('split', 1, 1795984267864824, 'Volumes of another source');
INSERT INTO reversal.outcomes VALUES ('01a22901-1a17-7f1e-8763-7da2d690693d', 'win', 12.5, NULL, 1795984267833109);
INSERT INTO reversal.outcomes VALUES ('01a22901-1a1a-7c33-a971-9a7ba6dd5345', 'loss', -8, NULL, 1795984267833109);
INSERT INTO reversal.outcomes VALUES ('01a22901-1a1d-769c-94aa-78e2502560f5', 'neutral', NULL, NULL, 1795984267833109);
INSERT INTO reversal.outcomes VALUES ('01a22901-1b1e-7b3f-a9f2-e8308184cce3', 'win', 3, NULL, 1795984268153474);
INSERT INTO reversal.replicas VALUES ('0f71b52913b5dcc1', 1795984268141786, '{"replica_id":"0f71b52913b5dcc1","name":"host:60335","revision":4,"active":"v3.1","versions":{"v3.1":{"digest":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","loaded":true,"error":null},"v3.0":{"digest":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","loaded":true,"error":null}}}');
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984268093424, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984268069291, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1, 0);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '4f8ed22c3d106058f479423a6cac6e98', 'B');
INSERT INTO reversal.users VALUES ('split', '544f5ef8c87b03ff2ec985ec67afb6b1', 'B');
INSERT INTO reversal.users VALUES ('split', '617d30109e68eae60a09e241cbc529d5', 'A');
INSERT INTO reversal.users VALUES ('split', 'd07c8e699d52b072ec5f73b9574bafb2', 'B');
INSERT INTO reversal.users VALUES ('split', 'eaf23158d8262df1fb6eccf868b6d976', 'A');
INSERT INTO reversal.users VALUES ('crossover', 'eaf23158d8262df1fb6eccf868b6d976', 'A');
INSERT INTO reversal.users VALUES ('crossover', 'eaf23158d8262df1fb6eccf868b6d976', 'B');
INSERT INTO reversal.users VALUES ('shadow', 'eaf23158d8262df1fb6eccf868b6d976', 'A');
INSERT INTO reversal.warned VALUES ('split', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('split', 'B', 'OUT_OF_RANGE', 3);
INSERT INTO reversal.warned VALUES ('crossover', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('crossover', 'B', 'OUT_OF_RANGE', 1);
INSERT INTO reversal.warned VALUES ('shadow', 'A', 'OUT_OF_RANGE', 3);
ALTER TABLE ONLY reversal.beside
    ADD CONSTRAINT beside_pkey PRIMARY KEY (experiment_id, reason);
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
ALTER TABLE ONLY reversal.looks
    ADD CONSTRAINT looks_pkey PRIMARY KEY (experiment_id, slot);
ALTER TABLE ONLY reversal.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY reversal.minutes
    ADD CONSTRAINT minutes_pkey PRIMARY KEY (experiment_id, variant, minute);
ALTER TABLE ONLY reversal.notes
    ADD CONSTRAINT notes_pkey PRIMARY KEY (experiment_id, number);
ALTER TABLE ONLY reversal.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (prediction_id);
ALTER TABLE ONLY reversal.replicas
    ADD CONSTRAINT replicas_pkey PRIMARY KEY (replica_id);
ALTER TABLE ONLY reversal.scores
    ADD CONSTRAINT scores_pkey PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key);
ALTER TABLE ONLY reversal.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (experiment_id, variant);
ALTER TABLE ONLY reversal.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (experiment_id, pseudonym, variant);
ALTER TABLE ONLY reversal.warned
    ADD CONSTRAINT warned_pkey PRIMARY KEY (experiment_id, variant, code);
CREATE INDEX exposures_by_time ON reversal.exposures USING btree (experiment_id, answered_at, prediction_id);
