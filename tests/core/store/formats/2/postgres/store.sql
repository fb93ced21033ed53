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
    labelled_at bigint,
    shadow_at bigint,
    shadow_a_signal text,
    shadow_a_confidence double precision,
    shadow_b_signal text,
    shadow_b_confidence double precision
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
    warnings text
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
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984223545703, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984223588855, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984223550943, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984223588855, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984223554945, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984223588855, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984223558088, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984223588855, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984223560388, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984223588855, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984223656444, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984223662226, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984223649081, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984223653861, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.experiments VALUES ('draft', 1795984223520285, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984223520285,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984223527699, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984223527699,"activated_at":1795984223533799,"stopped_at":1795984223617177,"stop_reason":"stopped by request","imported":null}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984223631969, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984223631969,"activated_at":1795984223638076,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.exposures VALUES ('01a22900-6d39-7a00-b26d-6c8e43c85403', 1795984223545703, 'split', 'B', 'v3.1', NULL, 'a2d118cea92b48429c06e912d654a063', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1226, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6d3e-7d14-b6dd-4d8c92de5603', 1795984223550943, 'split', 'A', 'v3.0', NULL, '6f761c6d43f15a7a788e70345f7b5e07', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 779, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6d42-7a24-b6c8-1eca774b2095', 1795984223554945, 'split', 'A', 'v3.0', NULL, 'dadd924501f7319792d5c53fd37baf8f', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 657, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6d46-77d6-aeab-3ed9a78127fc', 1795984223558088, 'split', 'B', 'v3.1', NULL, 'db3c7cecf044ab1f4f44735dc52a435b', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 599, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6d48-77ea-839c-a863ebc1cfd0', 1795984223560388, 'split', 'B', 'v3.1', NULL, 'f1847cb2cb8acc1651390fb288e41a71', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 553, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6da1-7455-8ce5-060fe7cd96dd', 1795984223649081, 'shadow', 'A', 'v3.1', NULL, '6f761c6d43f15a7a788e70345f7b5e07', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 981, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6da5-77f7-aa09-393622c7062a', 1795984223653475, 'shadow', 'A', 'v3.1', NULL, '6f761c6d43f15a7a788e70345f7b5e07', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1105, false, 'OUT_OF_RANGE');
INSERT INTO reversal.exposures VALUES ('01a22900-6da8-7e78-8872-82bfe92a830a', 1795984223656444, 'shadow', 'A', 'v3.1', NULL, '6f761c6d43f15a7a788e70345f7b5e07', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 490, false, 'OUT_OF_RANGE');
INSERT INTO reversal.journals VALUES ('01795984223361907032-14223-259a913be62fc8fd.jsonl', 2277);
INSERT INTO reversal.meta VALUES ('schema', '2');
INSERT INTO reversal.meta VALUES ('user_key', 'ba079f14a4a6cae620bf0f0b5de8e9266cdde186753f9984f2399daf1a5b0323');
INSERT INTO reversal.outcomes VALUES ('01a22900-6d39-7a00-b26d-6c8e43c85403', 'win', 12.5, NULL, 1795984223578317);
INSERT INTO reversal.outcomes VALUES ('01a22900-6d3e-7d14-b6dd-4d8c92de5603', 'loss', -8, NULL, 1795984223578317);
INSERT INTO reversal.outcomes VALUES ('01a22900-6d42-7a24-b6c8-1eca774b2095', 'neutral', NULL, NULL, 1795984223578317);
INSERT INTO reversal.outcomes VALUES ('01a22900-6da1-7455-8ce5-060fe7cd96dd', 'win', 3, NULL, 1795984223668940);
INSERT INTO reversal.state VALUES (4, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', 'a2d118cea92b48429c06e912d654a063', 'B');
INSERT INTO reversal.users VALUES ('split', 'db3c7cecf044ab1f4f44735dc52a435b', 'B');
INSERT INTO reversal.users VALUES ('split', '6f761c6d43f15a7a788e70345f7b5e07', 'A');
INSERT INTO reversal.users VALUES ('split', 'dadd924501f7319792d5c53fd37baf8f', 'A');
INSERT INTO reversal.users VALUES ('split', 'f1847cb2cb8acc1651390fb288e41a71', 'B');
INSERT INTO reversal.users VALUES ('shadow', '6f761c6d43f15a7a788e70345f7b5e07', 'A');
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
ALTER TABLE ONLY reversal.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (experiment_id, variant);
ALTER TABLE ONLY reversal.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (experiment_id, pseudonym, variant);
ALTER TABLE ONLY reversal.warned
    ADD CONSTRAINT warned_pkey PRIMARY KEY (experiment_id, variant, code);
CREATE INDEX exposures_by_time ON reversal.exposures USING btree (experiment_id, answered_at, prediction_id);
