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
INSERT INTO reversal.blocks VALUES ('crossover', '79341438e97da57c222831eff9d59075', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', '79341438e97da57c222831eff9d59075', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', '79341438e97da57c222831eff9d59075', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984243131670, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984243182482);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984243137579, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984243182482);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984243141691, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984243182482);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984243145527, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984243182482);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984243149319, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984243182482);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984243269313, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984243272231, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984243276828, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984243306970, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984243301515, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984243099317, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984243099317,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('split', 1795984243107203, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984243107203,"activated_at":1795984243116078,"stopped_at":1795984243240067,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984243182482,"chosen_by":"anybody"}]}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984243285892, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984243285892,"activated_at":1795984243290539,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984243248989, '{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984243248989,"activated_at":1795984243256312,"stopped_at":1795984243290961,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO reversal.exposures VALUES ('01a22900-b9bb-7aba-aed3-294702e3898a', 1795984243131670, 'split', 'B', 'v3.1', NULL, 'a4a96b671ac63a1b35e3264810239912', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1313, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-b9c1-7604-946f-fcbc9774f38b', 1795984243137579, 'split', 'A', 'v3.0', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 737, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-b9c5-7803-bdd9-04c5b0cab7e6', 1795984243141691, 'split', 'A', 'v3.0', NULL, '2a8071b30a258fc24348be496339f4a8', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 671, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-b9c9-7351-a3fd-a598a453598e', 1795984243145527, 'split', 'B', 'v3.1', NULL, 'a14d54d20bb16be5ab15e60dbd40b6f0', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 620, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-b9cd-7764-a294-5bb8a099d70a', 1795984243149319, 'split', 'B', 'v3.1', NULL, 'a229c3293a91679330dc4d3bb8f94c05', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 776, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-ba45-75ca-abfc-954a1c65a59e', 1795984243269313, 'crossover', 'B', 'v3.1', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1627, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22900-ba48-7ed2-86af-3eea2eb90fb0', 1795984243272231, 'crossover', 'A', 'v3.0', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1081, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22900-ba4c-7164-bc82-8fa73e252c20', 1795984243276828, 'crossover', 'A', 'v3.0', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 2370, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22900-ba65-7569-b3fb-646d22183379', 1795984243301515, 'shadow', 'A', 'v3.1', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1352, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-ba68-79d5-a249-ec954a0c7e73', 1795984243304274, 'shadow', 'A', 'v3.1', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 638, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-ba6a-73e4-b0d8-5c00c4be02e0', 1795984243306970, 'shadow', 'A', 'v3.1', NULL, '79341438e97da57c222831eff9d59075', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1216, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984242903428809-14365-acc928508a621a82.jsonl', 3318);
INSERT INTO reversal.meta VALUES ('schema', '6');
INSERT INTO reversal.meta VALUES ('user_key', '45a43ef3f1b71d5b07cd05319f0bd466b4ee5013b31441c3e005383a188e278f');
INSERT INTO reversal.minutes VALUES ('split', 'B', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('split', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'B', 29933070, 1, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('shadow', 'A', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.outcomes VALUES ('01a22900-b9bb-7aba-aed3-294702e3898a', 'win', 12.5, NULL, 1795984243169874);
INSERT INTO reversal.outcomes VALUES ('01a22900-b9c1-7604-946f-fcbc9774f38b', 'loss', -8, NULL, 1795984243169874);
INSERT INTO reversal.outcomes VALUES ('01a22900-b9c5-7803-bdd9-04c5b0cab7e6', 'neutral', NULL, NULL, 1795984243169874);
INSERT INTO reversal.outcomes VALUES ('01a22900-ba65-7569-b3fb-646d22183379', 'win', 3, NULL, 1795984243317615);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984243307417, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984243307417, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1, 0);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '2a8071b30a258fc24348be496339f4a8', 'A');
INSERT INTO reversal.users VALUES ('split', '79341438e97da57c222831eff9d59075', 'A');
INSERT INTO reversal.users VALUES ('split', 'a14d54d20bb16be5ab15e60dbd40b6f0', 'B');
INSERT INTO reversal.users VALUES ('split', 'a229c3293a91679330dc4d3bb8f94c05', 'B');
INSERT INTO reversal.users VALUES ('split', 'a4a96b671ac63a1b35e3264810239912', 'B');
INSERT INTO reversal.users VALUES ('crossover', '79341438e97da57c222831eff9d59075', 'B');
INSERT INTO reversal.users VALUES ('crossover', '79341438e97da57c222831eff9d59075', 'A');
INSERT INTO reversal.users VALUES ('shadow', '79341438e97da57c222831eff9d59075', 'A');
INSERT INTO reversal.warned VALUES ('split', 'A', 'OUT_OF_RANGE', 2);
INSERT INTO reversal.warned VALUES ('split', 'B', 'OUT_OF_RANGE', 3);
INSERT INTO reversal.warned VALUES ('crossover', 'B', 'OUT_OF_RANGE', 1);
INSERT INTO reversal.warned VALUES ('crossover', 'A', 'OUT_OF_RANGE', 2);
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
