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
INSERT INTO reversal.blocks VALUES ('crossover', 'dc157c6de73e172f00ce8007b1aaeea3', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', 'dc157c6de73e172f00ce8007b1aaeea3', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', 'dc157c6de73e172f00ce8007b1aaeea3', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984248822767, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984248861672);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984248827070, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984248861672);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984248830507, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984248861672);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984248833181, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984248861672);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984248835619, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984248861672);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984248964496, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984248970096, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984248975227, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984249235232, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984249216019, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984248798272, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984248798272,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('split', 1795984248807821, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984248807821,"activated_at":1795984248812702,"stopped_at":1795984248929947,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984248861672,"chosen_by":"anybody"}]}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984249144670, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984249144670,"activated_at":1795984249155959,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984248945676, '{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984248945676,"activated_at":1795984248949543,"stopped_at":1795984249156351,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO reversal.exposures VALUES ('01a22900-cff6-7570-aced-46ac9cd89e23', 1795984248822767, 'split', 'B', 'v3.1', NULL, 'c0fc195ee1fdcabce5a7641d4178cd71', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1163, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-cffb-79d8-8cdb-846edaa0b8ae', 1795984248827070, 'split', 'A', 'v3.0', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 896, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-cffe-7a12-b03b-8dc4ae461d4c', 1795984248830507, 'split', 'A', 'v3.0', NULL, 'd03034842d1e6d0a0662f5634640d8b3', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 762, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-d001-7b82-a5b6-354d6b2b9b67', 1795984248833181, 'split', 'B', 'v3.1', NULL, '04009d10f049d82ff9f917df8364bef3', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 690, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-d003-7342-aa03-88016d69ef30', 1795984248835619, 'split', 'B', 'v3.1', NULL, 'a985f3e7bbabd9f213667ed9799ad199', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 586, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-d084-7a24-802e-0faa6b0351a0', 1795984248964496, 'crossover', 'B', 'v3.1', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1400, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22900-d08a-7c5a-a770-71d493848f3d', 1795984248970096, 'crossover', 'A', 'v3.0', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 752, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22900-d08f-71f1-80d5-4efe17577059', 1795984248975227, 'crossover', 'A', 'v3.0', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 939, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22900-d180-78ee-9244-e8a251aa0ffe', 1795984249216019, 'shadow', 'A', 'v3.1', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 695, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-d187-7b15-a2a0-6e0e8c6d2432', 1795984249223598, 'shadow', 'A', 'v3.1', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 534, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-d193-7083-bebc-6ec9217df2ba', 1795984249235232, 'shadow', 'A', 'v3.1', NULL, 'dc157c6de73e172f00ce8007b1aaeea3', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 796, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984248552495834-14433-4b19c998c4ee8c01.jsonl', 3314);
INSERT INTO reversal.looks VALUES ('split', 1995538, '{"at":1795984248899123,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
INSERT INTO reversal.meta VALUES ('schema', '7');
INSERT INTO reversal.meta VALUES ('user_key', 'd3988d2c829ecadda7879d2f1ba3232a377e548da91e26203e6495075b40e806');
INSERT INTO reversal.minutes VALUES ('split', 'B', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('split', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'B', 29933070, 1, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('shadow', 'A', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.outcomes VALUES ('01a22900-cff6-7570-aced-46ac9cd89e23', 'win', 12.5, NULL, 1795984248852190);
INSERT INTO reversal.outcomes VALUES ('01a22900-cffb-79d8-8cdb-846edaa0b8ae', 'loss', -8, NULL, 1795984248852190);
INSERT INTO reversal.outcomes VALUES ('01a22900-cffe-7a12-b03b-8dc4ae461d4c', 'neutral', NULL, NULL, 1795984248852190);
INSERT INTO reversal.outcomes VALUES ('01a22900-d180-78ee-9244-e8a251aa0ffe', 'win', 3, NULL, 1795984249259849);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984249241276, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984249222557, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1, 0);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '04009d10f049d82ff9f917df8364bef3', 'B');
INSERT INTO reversal.users VALUES ('split', 'a985f3e7bbabd9f213667ed9799ad199', 'B');
INSERT INTO reversal.users VALUES ('split', 'c0fc195ee1fdcabce5a7641d4178cd71', 'B');
INSERT INTO reversal.users VALUES ('split', 'd03034842d1e6d0a0662f5634640d8b3', 'A');
INSERT INTO reversal.users VALUES ('split', 'dc157c6de73e172f00ce8007b1aaeea3', 'A');
INSERT INTO reversal.users VALUES ('crossover', 'dc157c6de73e172f00ce8007b1aaeea3', 'A');
INSERT INTO reversal.users VALUES ('crossover', 'dc157c6de73e172f00ce8007b1aaeea3', 'B');
INSERT INTO reversal.users VALUES ('shadow', 'dc157c6de73e172f00ce8007b1aaeea3', 'A');
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
