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
    unrecorded bigint NOT NULL,
    refused bigint DEFAULT 0 NOT NULL
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
INSERT INTO reversal.blocks VALUES ('crossover', '624c5156b54600ee525aedbfb428dd27', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', '624c5156b54600ee525aedbfb428dd27', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', '624c5156b54600ee525aedbfb428dd27', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984238023709, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984238061303);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984238027822, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984238061303);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984238030889, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984238061303);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984238033406, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984238061303);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984238036553, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984238061303);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984238145001, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984238147650, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984238149952, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984238183814, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984238178207, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984237995134, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984237995134,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984238000114, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984238000114,"activated_at":1795984238007016,"stopped_at":1795984238122303,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"}}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984238162915, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984238162915,"activated_at":1795984238167069,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"}}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984238129465, '{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984238129465,"activated_at":1795984238134181,"stopped_at":1795984238167660,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"}}');
INSERT INTO reversal.exposures VALUES ('01a22900-a5c7-7742-a0f7-9ba0c5b64005', 1795984238023709, 'split', 'B', 'v3.1', NULL, 'ba70789bff8e55e1b92d07e05d8538c2', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1125, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a5cb-710d-9941-36d8a63b249a', 1795984238027822, 'split', 'A', 'v3.0', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1182, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a5ce-7680-a6d4-a80348b44bb2', 1795984238030889, 'split', 'A', 'v3.0', NULL, '07140f6361f606383d6d2d79bf5a1f29', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 997, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a5d1-730a-b4fa-28f5c5e10242', 1795984238033406, 'split', 'B', 'v3.1', NULL, '3ab6ee6d351f967ad9f36f767bf42763', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 942, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a5d4-7eb2-bb24-20eac9960f28', 1795984238036553, 'split', 'B', 'v3.1', NULL, '0b7c7e0532566fbe2fb311d19353c354', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 893, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a641-7af6-b2f4-c35670088c1f', 1795984238145001, 'crossover', 'B', 'v3.1', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1277, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22900-a643-7af5-8625-6746a9a91248', 1795984238147650, 'crossover', 'A', 'v3.0', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1033, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22900-a645-7acb-a694-14a348e51079', 1795984238149952, 'crossover', 'A', 'v3.0', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 814, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22900-a662-7d09-a1b2-5163e4db509e', 1795984238178207, 'shadow', 'A', 'v3.1', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1362, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a664-7b12-9ef7-5e2904cf7400', 1795984238180400, 'shadow', 'A', 'v3.1', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 534, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-a667-7545-ae5f-d6b8371bc082', 1795984238183814, 'shadow', 'A', 'v3.1', NULL, '624c5156b54600ee525aedbfb428dd27', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 368, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984237850372548-14335-55c620f3688c3c07.jsonl', 3317);
INSERT INTO reversal.meta VALUES ('schema', '5');
INSERT INTO reversal.meta VALUES ('user_key', '3397fa8c9326bfda710c47273e895fce02778c4a45e1e34d577d407dfb9b10b1');
INSERT INTO reversal.minutes VALUES ('split', 'B', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('split', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'B', 29933070, 1, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('shadow', 'A', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.outcomes VALUES ('01a22900-a5c7-7742-a0f7-9ba0c5b64005', 'win', 12.5, NULL, 1795984238053587);
INSERT INTO reversal.outcomes VALUES ('01a22900-a5cb-710d-9941-36d8a63b249a', 'loss', -8, NULL, 1795984238053587);
INSERT INTO reversal.outcomes VALUES ('01a22900-a5ce-7680-a6d4-a80348b44bb2', 'neutral', NULL, NULL, 1795984238053587);
INSERT INTO reversal.outcomes VALUES ('01a22900-a662-7d09-a1b2-5163e4db509e', 'win', 3, NULL, 1795984238195722);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984238189784, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984238183129, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '07140f6361f606383d6d2d79bf5a1f29', 'A');
INSERT INTO reversal.users VALUES ('split', '0b7c7e0532566fbe2fb311d19353c354', 'B');
INSERT INTO reversal.users VALUES ('split', '3ab6ee6d351f967ad9f36f767bf42763', 'B');
INSERT INTO reversal.users VALUES ('split', '624c5156b54600ee525aedbfb428dd27', 'A');
INSERT INTO reversal.users VALUES ('split', 'ba70789bff8e55e1b92d07e05d8538c2', 'B');
INSERT INTO reversal.users VALUES ('crossover', '624c5156b54600ee525aedbfb428dd27', 'A');
INSERT INTO reversal.users VALUES ('crossover', '624c5156b54600ee525aedbfb428dd27', 'B');
INSERT INTO reversal.users VALUES ('shadow', '624c5156b54600ee525aedbfb428dd27', 'A');
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
ALTER TABLE ONLY reversal.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (name);
ALTER TABLE ONLY reversal.minutes
    ADD CONSTRAINT minutes_pkey PRIMARY KEY (experiment_id, variant, minute);
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
