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
    slow boolean NOT NULL
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
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984218265329, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984218303580, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984218268361, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984218303580, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984218271019, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984218303580, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984218273680, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984218303580, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984218275547, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984218303580, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984218375654, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984218381855, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984218368205, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984218373935, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.experiments VALUES ('draft', 1795984218227721, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984218227721,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984218242882, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984218242882,"activated_at":1795984218253572,"stopped_at":1795984218336478,"stop_reason":"stopped by request","imported":null}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984218351235, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984218351235,"activated_at":1795984218358024,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.exposures VALUES ('01a22900-5899-7758-a6e7-531cabe64421', 1795984218265329, 'split', 'B', 'v3.1', NULL, '35cc2fdf9bcd6f7c0a6565944e832e26', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1451, false);
INSERT INTO reversal.exposures VALUES ('01a22900-589c-7e83-91be-1ef54b119102', 1795984218268361, 'split', 'A', 'v3.0', NULL, '4279f7b4549b6390a7135ea5cd729c63', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 533, false);
INSERT INTO reversal.exposures VALUES ('01a22900-589f-7632-b7ae-b1831d84e302', 1795984218271019, 'split', 'A', 'v3.0', NULL, '09a7ab14e13076e032512429931deaa0', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 586, false);
INSERT INTO reversal.exposures VALUES ('01a22900-58a1-7bb0-bdaf-726cec29d0ae', 1795984218273680, 'split', 'B', 'v3.1', NULL, 'a39eebb4df3b1948698d5e4582c7b6f2', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 425, false);
INSERT INTO reversal.exposures VALUES ('01a22900-58a3-7015-ab6f-9a7804551445', 1795984218275547, 'split', 'B', 'v3.1', NULL, '2b1bbff413d5909c0c6c052ae14040ee', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 389, false);
INSERT INTO reversal.exposures VALUES ('01a22900-5900-74e4-a36e-ea3bcb62514a', 1795984218368205, 'shadow', 'A', 'v3.1', NULL, '4279f7b4549b6390a7135ea5cd729c63', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 728, false);
INSERT INTO reversal.exposures VALUES ('01a22900-5903-75a7-a435-b23ad8a32aba', 1795984218371971, 'shadow', 'A', 'v3.1', NULL, '4279f7b4549b6390a7135ea5cd729c63', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 995, false);
INSERT INTO reversal.exposures VALUES ('01a22900-5907-7082-8715-9c187b562f89', 1795984218375654, 'shadow', 'A', 'v3.1', NULL, '4279f7b4549b6390a7135ea5cd729c63', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 630, false);
INSERT INTO reversal.journals VALUES ('01795984218071917666-14192-5e4de30ee7634d4c.jsonl', 2140);
INSERT INTO reversal.meta VALUES ('schema', '1');
INSERT INTO reversal.meta VALUES ('user_key', '6a18829227c00fdecd18ecd0c9cd5959a867c448899f2267f4ed0b544edbb00f');
INSERT INTO reversal.outcomes VALUES ('01a22900-5899-7758-a6e7-531cabe64421', 'win', 12.5, NULL, 1795984218291786);
INSERT INTO reversal.outcomes VALUES ('01a22900-589c-7e83-91be-1ef54b119102', 'loss', -8, NULL, 1795984218291786);
INSERT INTO reversal.outcomes VALUES ('01a22900-589f-7632-b7ae-b1831d84e302', 'neutral', NULL, NULL, 1795984218291786);
INSERT INTO reversal.outcomes VALUES ('01a22900-5900-74e4-a36e-ea3bcb62514a', 'win', 3, NULL, 1795984218397074);
INSERT INTO reversal.state VALUES (4, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', 'a39eebb4df3b1948698d5e4582c7b6f2', 'B');
INSERT INTO reversal.users VALUES ('split', '35cc2fdf9bcd6f7c0a6565944e832e26', 'B');
INSERT INTO reversal.users VALUES ('split', '2b1bbff413d5909c0c6c052ae14040ee', 'B');
INSERT INTO reversal.users VALUES ('split', '4279f7b4549b6390a7135ea5cd729c63', 'A');
INSERT INTO reversal.users VALUES ('split', '09a7ab14e13076e032512429931deaa0', 'A');
INSERT INTO reversal.users VALUES ('shadow', '4279f7b4549b6390a7135ea5cd729c63', 'A');
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
CREATE INDEX exposures_by_time ON reversal.exposures USING btree (experiment_id, answered_at, prediction_id);
