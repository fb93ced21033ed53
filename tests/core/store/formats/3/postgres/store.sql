CREATE SCHEMA reversal;
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
    window_key text DEFAULT ''::text NOT NULL
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
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984228288418, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984228331136);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984228292267, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984228331136);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984228304484, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984228331136);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984228307704, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984228331136);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984228314795, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984228331136);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984228376378, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984228371549, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984228227650, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984228227650,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984228240314, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984228240314,"activated_at":1795984228279393,"stopped_at":1795984228349458,"stop_reason":"stopped by request","imported":null}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984228360951, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984228360951,"activated_at":1795984228364466,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.exposures VALUES ('01a22900-7fc0-7405-9089-671d8a4461db', 1795984228288418, 'split', 'B', 'v3.1', NULL, '8b5fc0c681f595bd0923313a933366c5', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1216, false, 'OUT_OF_RANGE', '');
INSERT INTO reversal.exposures VALUES ('01a22900-7fc4-7e0b-be46-e312827fc3c8', 1795984228292267, 'split', 'A', 'v3.0', NULL, '19f8cb41d8d31ade0034b3ab520db052', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 728, false, 'OUT_OF_RANGE', '');
INSERT INTO reversal.exposures VALUES ('01a22900-7fd0-7898-8ac8-0f70d0329b7b', 1795984228304484, 'split', 'A', 'v3.0', NULL, 'd2d892506fd16a4f74bb6522b797f60a', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 785, false, 'OUT_OF_RANGE', '');
INSERT INTO reversal.exposures VALUES ('01a22900-7fd3-7604-8ac3-c7d3327ded3e', 1795984228307704, 'split', 'B', 'v3.1', NULL, 'cd0a104727b5c71d9cd208305e284526', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 646, false, 'OUT_OF_RANGE', '');
INSERT INTO reversal.exposures VALUES ('01a22900-7fda-78c8-aeb7-c22d4f9ee1c2', 1795984228314795, 'split', 'B', 'v3.1', NULL, '8de784a572768b6f0c894524e18a4735', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 707, false, 'OUT_OF_RANGE', '');
INSERT INTO reversal.exposures VALUES ('01a22900-8013-7e5a-a099-493682a64a4c', 1795984228371549, 'shadow', 'A', 'v3.1', NULL, '19f8cb41d8d31ade0034b3ab520db052', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 934, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4');
INSERT INTO reversal.exposures VALUES ('01a22900-8016-7b6f-907c-17648eba27f1', 1795984228374277, 'shadow', 'A', 'v3.1', NULL, '19f8cb41d8d31ade0034b3ab520db052', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 594, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4');
INSERT INTO reversal.exposures VALUES ('01a22900-8018-793a-bce5-7c45b15eb3bd', 1795984228376378, 'shadow', 'A', 'v3.1', NULL, '19f8cb41d8d31ade0034b3ab520db052', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 524, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4');
INSERT INTO reversal.journals VALUES ('01795984228095976177-14253-a006c1d5a81eae74.jsonl', 2476);
INSERT INTO reversal.meta VALUES ('schema', '3');
INSERT INTO reversal.meta VALUES ('user_key', '3b4cf3b212436073eb9d0bb1f5380f1d5db23fd090792b4631d86ae79d953e28');
INSERT INTO reversal.outcomes VALUES ('01a22900-7fc0-7405-9089-671d8a4461db', 'win', 12.5, NULL, 1795984228324623);
INSERT INTO reversal.outcomes VALUES ('01a22900-7fc4-7e0b-be46-e312827fc3c8', 'loss', -8, NULL, 1795984228324623);
INSERT INTO reversal.outcomes VALUES ('01a22900-7fd0-7898-8ac8-0f70d0329b7b', 'neutral', NULL, NULL, 1795984228324623);
INSERT INTO reversal.outcomes VALUES ('01a22900-8013-7e5a-a099-493682a64a4c', 'win', 3, NULL, 1795984228385511);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984228377056, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984228377056, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1);
INSERT INTO reversal.state VALUES (4, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '8b5fc0c681f595bd0923313a933366c5', 'B');
INSERT INTO reversal.users VALUES ('split', '19f8cb41d8d31ade0034b3ab520db052', 'A');
INSERT INTO reversal.users VALUES ('split', '8de784a572768b6f0c894524e18a4735', 'B');
INSERT INTO reversal.users VALUES ('split', 'd2d892506fd16a4f74bb6522b797f60a', 'A');
INSERT INTO reversal.users VALUES ('split', 'cd0a104727b5c71d9cd208305e284526', 'B');
INSERT INTO reversal.users VALUES ('shadow', '19f8cb41d8d31ade0034b3ab520db052', 'A');
INSERT INTO reversal.warned VALUES ('split', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('split', 'B', 'OUT_OF_RANGE', 3);
INSERT INTO reversal.warned VALUES ('shadow', 'A', 'OUT_OF_RANGE', 3);
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
