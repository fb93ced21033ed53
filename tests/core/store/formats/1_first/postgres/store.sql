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
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984214463075, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984214500822, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984214467341, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984214500822, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984214470919, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984214500822, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984214475027, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984214500822, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984214478495, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984214500822, NULL, NULL, NULL, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984214546178, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984214551968, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984214537935, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL, 1795984214545207, 'short', 0.7932060956954956, 'short', 0.7932060956954956);
INSERT INTO reversal.experiments VALUES ('draft', 1795984214446393, '{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984214446393,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.experiments VALUES ('split', 1795984214451100, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984214451100,"activated_at":1795984214454294,"stopped_at":1795984214519919,"stop_reason":"stopped by request","imported":null}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984214528196, '{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984214528196,"activated_at":1795984214531031,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO reversal.exposures VALUES ('01a22900-49bf-77a9-846f-b2e952e627d0', 1795984214463075, 'split', 'B', 'v3.1', NULL, '049687032daa5218a7e57545ecf260ef', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1412, false);
INSERT INTO reversal.exposures VALUES ('01a22900-49c3-7b43-9dad-f153bc4f724e', 1795984214467341, 'split', 'A', 'v3.0', NULL, '5efccc4a2a98acf99ce5f49057d86a46', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 653, false);
INSERT INTO reversal.exposures VALUES ('01a22900-49c6-7c5f-978d-ce00c8832b62', 1795984214470919, 'split', 'A', 'v3.0', NULL, 'bcd17fb91a86af12875a07fff5d64ce4', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 827, false);
INSERT INTO reversal.exposures VALUES ('01a22900-49cb-7b32-8d7e-ec6af4b120b7', 1795984214475027, 'split', 'B', 'v3.1', NULL, '927f93039844157de6b7ae4731d99c99', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 857, false);
INSERT INTO reversal.exposures VALUES ('01a22900-49ce-7653-acb0-c1d2486227f5', 1795984214478495, 'split', 'B', 'v3.1', NULL, 'f1cf4b36050cee626cb252498863f4c4', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 585, false);
INSERT INTO reversal.exposures VALUES ('01a22900-4a09-7dfe-9043-2779ad7c351c', 1795984214537935, 'shadow', 'A', 'v3.1', NULL, '5efccc4a2a98acf99ce5f49057d86a46', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 846, false);
INSERT INTO reversal.exposures VALUES ('01a22900-4a0d-705a-88d6-0c74372c7165', 1795984214541906, 'shadow', 'A', 'v3.1', NULL, '5efccc4a2a98acf99ce5f49057d86a46', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1049, false);
INSERT INTO reversal.exposures VALUES ('01a22900-4a12-70d4-8135-1cf612888387', 1795984214546178, 'shadow', 'A', 'v3.1', NULL, '5efccc4a2a98acf99ce5f49057d86a46', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 576, false);
INSERT INTO reversal.journals VALUES ('01795984214421002972-14152-5d964074809fa3db.jsonl', 2141);
INSERT INTO reversal.meta VALUES ('schema', '1');
INSERT INTO reversal.meta VALUES ('user_key', 'd6f62724566a45b28b5b0346b657e722230b1fcc8c28d6f1fbd5295697d9c32f');
INSERT INTO reversal.outcomes VALUES ('01a22900-49bf-77a9-846f-b2e952e627d0', 'win', 12.5, NULL, 1795984214493439);
INSERT INTO reversal.outcomes VALUES ('01a22900-49c3-7b43-9dad-f153bc4f724e', 'loss', -8, NULL, 1795984214493439);
INSERT INTO reversal.outcomes VALUES ('01a22900-49c6-7c5f-978d-ce00c8832b62', 'neutral', NULL, NULL, 1795984214493439);
INSERT INTO reversal.outcomes VALUES ('01a22900-4a09-7dfe-9043-2779ad7c351c', 'win', 3, NULL, 1795984214554272);
INSERT INTO reversal.state VALUES (4, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '049687032daa5218a7e57545ecf260ef', 'B');
INSERT INTO reversal.users VALUES ('split', 'bcd17fb91a86af12875a07fff5d64ce4', 'A');
INSERT INTO reversal.users VALUES ('split', '5efccc4a2a98acf99ce5f49057d86a46', 'A');
INSERT INTO reversal.users VALUES ('split', '927f93039844157de6b7ae4731d99c99', 'B');
INSERT INTO reversal.users VALUES ('split', 'f1cf4b36050cee626cb252498863f4c4', 'B');
INSERT INTO reversal.users VALUES ('shadow', '5efccc4a2a98acf99ce5f49057d86a46', 'A');
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
