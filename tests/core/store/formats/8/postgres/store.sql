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
INSERT INTO reversal.blocks VALUES ('crossover', '3deb1633cf02ca05db5c6a8a32f9b976', '1h:17529', 'B');
INSERT INTO reversal.blocks VALUES ('crossover', '3deb1633cf02ca05db5c6a8a32f9b976', '1h:17530', 'A');
INSERT INTO reversal.blocks VALUES ('crossover', '3deb1633cf02ca05db5c6a8a32f9b976', '1h:17531', 'A');
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514581200000', 1795984258366416, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 1, 0, 0, 12.5, 1, 0, 100, 1795984258407488);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514584800000', 1795984258368882, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 1, 0, -8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984258407488);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514588400000', 1795984258373271, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1795984258407488);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514592000000', 1795984258375105, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984258407488);
INSERT INTO reversal.candles VALUES ('split', 'EUR/USD', '1h', 't:1514595600000', 1795984258378180, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 100, 1795984258407488);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514581200000', 1795984258551451, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514667600000', 1795984258553801, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('crossover', 'EUR/USD', '1h', 't:1514754000000', 1795984258558691, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 1795984258614522, 1, 0, 0, 1, 0.7932060956954956, 0.6291759102484917, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.candles VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 1795984258601175, 2, 0, 0, 2, 1.5864121913909912, 1.2583518204969835, 1, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, NULL, NULL);
INSERT INTO reversal.experiments VALUES ('draft', 1795984258339253, '{"experiment_id":"draft","name":"Not yet","description":"A draft","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"draft","created_at":1795984258339253,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('split', 1795984258343893, '{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984258343893,"activated_at":1795984258351124,"stopped_at":1795984258512981,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984258407488,"chosen_by":"anybody"}]}');
INSERT INTO reversal.experiments VALUES ('shadow', 1795984258576642, '{"experiment_id":"shadow","name":"Shadow","description":"","owner":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"active","created_at":1795984258576642,"activated_at":1795984258584658,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
INSERT INTO reversal.experiments VALUES ('crossover', 1795984258530728, '{"experiment_id":"crossover","name":"Crossover","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984258530728,"activated_at":1795984258535259,"stopped_at":1795984258585083,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO reversal.exposures VALUES ('01a22900-f53e-796b-8167-272026762023', 1795984258366416, 'split', 'B', 'v3.1', NULL, '3ad0ec09284f0ab2e15f9a3580b2b265', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1151, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f540-7176-86b4-72a34ed307ad', 1795984258368882, 'split', 'A', 'v3.0', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 556, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f545-7bd8-bfd8-e1852c48aa4c', 1795984258373271, 'split', 'A', 'v3.0', NULL, '63758b3bfa7ccb75196f4856c67f13e3', 'EUR/USD', '1h', 't:1514588400000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 503, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f547-7f06-9e8c-15691ab4a477', 1795984258375105, 'split', 'B', 'v3.1', NULL, 'de016df4c105537243e573f1a238db63', 'EUR/USD', '1h', 't:1514592000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 445, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f54a-7349-8f0e-14f950438673', 1795984258378180, 'split', 'B', 'v3.1', NULL, '5433f59f341c777da0931bfee6963953', 'EUR/USD', '1h', 't:1514595600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 449, false, 'OUT_OF_RANGE', '', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f5f7-7080-9fd4-437ba5ed8a78', 1795984258551451, 'crossover', 'B', 'v3.1', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1139, false, 'OUT_OF_RANGE', '', '1h:17529');
INSERT INTO reversal.exposures VALUES ('01a22900-f5f9-7051-aff8-9c7100d40052', 1795984258553801, 'crossover', 'A', 'v3.0', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514667600000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 581, false, 'OUT_OF_RANGE', '', '1h:17530');
INSERT INTO reversal.exposures VALUES ('01a22900-f5fe-7492-9677-f9211cb94bed', 1795984258558691, 'crossover', 'A', 'v3.0', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514754000000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 739, false, 'OUT_OF_RANGE', '', '1h:17531');
INSERT INTO reversal.exposures VALUES ('01a22900-f629-7b59-b7dd-9f447b2114a0', 1795984258601175, 'shadow', 'A', 'v3.1', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 1303, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f62f-73e4-b8b1-f6678b63ee49', 1795984258607385, 'shadow', 'A', 'v3.1', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514581200000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 463, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.exposures VALUES ('01a22900-f636-72be-bfc6-4ead7ef9c8da', 1795984258614522, 'shadow', 'A', 'v3.1', NULL, '3deb1633cf02ca05db5c6a8a32f9b976', 'EUR/USD', '1h', 't:1514584800000', 'short', 0.7932060956954956, 0.7794710397720337, 0.7977844476699829, 584, false, 'OUT_OF_RANGE', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', '');
INSERT INTO reversal.journals VALUES ('01795984257987379059-14555-cf672484d2224065.jsonl', 3315);
INSERT INTO reversal.looks VALUES ('split', 1995538, '{"at":1795984258449763,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
INSERT INTO reversal.meta VALUES ('schema', '8');
INSERT INTO reversal.meta VALUES ('user_key', '1372e81e7e2302ea8c6bf9e6589e5cf1df85aa248af1b3307d728bb696204a62');
INSERT INTO reversal.minutes VALUES ('split', 'B', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('split', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'B', 29933070, 1, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('crossover', 'A', 29933070, 2, 0, 0, 0, 0);
INSERT INTO reversal.minutes VALUES ('shadow', 'A', 29933070, 3, 0, 0, 0, 0);
INSERT INTO reversal.notes VALUES ('split', 1, 1795984258417921, 'Volumes of another source');
INSERT INTO reversal.outcomes VALUES ('01a22900-f53e-796b-8167-272026762023', 'win', 12.5, NULL, 1795984258397254);
INSERT INTO reversal.outcomes VALUES ('01a22900-f540-7176-86b4-72a34ed307ad', 'loss', -8, NULL, 1795984258397254);
INSERT INTO reversal.outcomes VALUES ('01a22900-f545-7bd8-bfd8-e1852c48aa4c', 'neutral', NULL, NULL, 1795984258397254);
INSERT INTO reversal.outcomes VALUES ('01a22900-f629-7b59-b7dd-9f447b2114a0', 'win', 3, NULL, 1795984258641613);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514584800000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984258624615, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 0, 0, 0, 0, 0, 0);
INSERT INTO reversal.scores VALUES ('shadow', 'EUR/USD', '1h', 't:1514581200000', 'w:17f8b0b0e0d362de8f428eedc6a5cba4', 1795984258606294, 'short', 0.7932060956954956, 'short', 0.7932060956954956, 1, 0, 0, 3, 1, 0);
INSERT INTO reversal.state VALUES (5, '{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}', 'shadow');
INSERT INTO reversal.users VALUES ('split', '3ad0ec09284f0ab2e15f9a3580b2b265', 'B');
INSERT INTO reversal.users VALUES ('split', '3deb1633cf02ca05db5c6a8a32f9b976', 'A');
INSERT INTO reversal.users VALUES ('split', '5433f59f341c777da0931bfee6963953', 'B');
INSERT INTO reversal.users VALUES ('split', '63758b3bfa7ccb75196f4856c67f13e3', 'A');
INSERT INTO reversal.users VALUES ('split', 'de016df4c105537243e573f1a238db63', 'B');
INSERT INTO reversal.users VALUES ('crossover', '3deb1633cf02ca05db5c6a8a32f9b976', 'A');
INSERT INTO reversal.users VALUES ('crossover', '3deb1633cf02ca05db5c6a8a32f9b976', 'B');
INSERT INTO reversal.users VALUES ('shadow', '3deb1633cf02ca05db5c6a8a32f9b976', 'A');
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
ALTER TABLE ONLY reversal.scores
    ADD CONSTRAINT scores_pkey PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key);
ALTER TABLE ONLY reversal.totals
    ADD CONSTRAINT totals_pkey PRIMARY KEY (experiment_id, variant);
ALTER TABLE ONLY reversal.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (experiment_id, pseudonym, variant);
ALTER TABLE ONLY reversal.warned
    ADD CONSTRAINT warned_pkey PRIMARY KEY (experiment_id, variant, code);
CREATE INDEX exposures_by_time ON reversal.exposures USING btree (experiment_id, answered_at, prediction_id);
