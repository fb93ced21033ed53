BEGIN TRANSACTION;
CREATE TABLE candles (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, first_at BIGINT NOT NULL,
            a_predictions BIGINT NOT NULL DEFAULT 0, a_holds BIGINT NOT NULL DEFAULT 0,
            a_longs BIGINT NOT NULL DEFAULT 0, a_shorts BIGINT NOT NULL DEFAULT 0,
            a_confidence DOUBLE PRECISION NOT NULL DEFAULT 0, a_confidence_squares DOUBLE PRECISION NOT NULL DEFAULT 0,
            a_wins BIGINT NOT NULL DEFAULT 0, a_losses BIGINT NOT NULL DEFAULT 0, a_neutrals BIGINT NOT NULL DEFAULT 0,
            a_pnl DOUBLE PRECISION NOT NULL DEFAULT 0, a_pnl_count BIGINT NOT NULL DEFAULT 0,
            b_predictions BIGINT NOT NULL DEFAULT 0, b_holds BIGINT NOT NULL DEFAULT 0,
            b_longs BIGINT NOT NULL DEFAULT 0, b_shorts BIGINT NOT NULL DEFAULT 0,
            b_confidence DOUBLE PRECISION NOT NULL DEFAULT 0, b_confidence_squares DOUBLE PRECISION NOT NULL DEFAULT 0,
            b_wins BIGINT NOT NULL DEFAULT 0, b_losses BIGINT NOT NULL DEFAULT 0, b_neutrals BIGINT NOT NULL DEFAULT 0,
            b_pnl DOUBLE PRECISION NOT NULL DEFAULT 0, b_pnl_count BIGINT NOT NULL DEFAULT 0,
            label INTEGER NOT NULL DEFAULT -1, move_pips DOUBLE PRECISION, labelled_at BIGINT,
            PRIMARY KEY (experiment_id, pair, timeframe, candle));
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984226047061,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984226073923);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984226050291,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984226073923);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984226053421,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984226073923);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984226056336,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984226073923);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984226059320,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984226073923);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984226109255,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984226115240,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984226031818,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984226031818,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO "experiments" VALUES('split',1795984226036475,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984226036475,"activated_at":1795984226040195,"stopped_at":1795984226089416,"stop_reason":"stopped by request","imported":null}');
INSERT INTO "experiments" VALUES('shadow',1795984226098595,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984226098595,"activated_at":1795984226102225,"stopped_at":null,"stop_reason":null,"imported":null}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-76ff-774f-924b-856f030c115e',1795984226047061,'split','B','v3.1',NULL,'5e905d16a9fc34bf17899b0d14a3c67d','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1181,0,'OUT_OF_RANGE','');
INSERT INTO "exposures" VALUES('01a22900-7702-7962-b786-eb0cd09e99b3',1795984226050291,'split','A','v3.0',NULL,'45d4d2bb90d3adb6d38679b57a0db6a7','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,702,0,'OUT_OF_RANGE','');
INSERT INTO "exposures" VALUES('01a22900-7705-77cb-892e-09fa255c5bbf',1795984226053421,'split','A','v3.0',NULL,'ff1905675b8172efa0bd7522be24eaad','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,686,0,'OUT_OF_RANGE','');
INSERT INTO "exposures" VALUES('01a22900-7708-7ba7-be7e-842b5d4968a9',1795984226056336,'split','B','v3.1',NULL,'c85a532999a3815d1777b38ae6f78afc','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,658,0,'OUT_OF_RANGE','');
INSERT INTO "exposures" VALUES('01a22900-770b-7c15-9e84-8ec574f4b3cd',1795984226059320,'split','B','v3.1',NULL,'cde1c41e2658bb4a48dffbe7f468424c','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,643,0,'OUT_OF_RANGE','');
INSERT INTO "exposures" VALUES('01a22900-773d-73a6-9910-2b40247b1c63',1795984226109255,'shadow','A','v3.1',NULL,'45d4d2bb90d3adb6d38679b57a0db6a7','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1680,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4');
INSERT INTO "exposures" VALUES('01a22900-7740-7138-ab0c-9264c187e696',1795984226112096,'shadow','A','v3.1',NULL,'45d4d2bb90d3adb6d38679b57a0db6a7','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,533,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4');
INSERT INTO "exposures" VALUES('01a22900-7743-7ae6-a208-b6abda368f0d',1795984226115240,'shadow','A','v3.1',NULL,'45d4d2bb90d3adb6d38679b57a0db6a7','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,494,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984225941290816-14243-4c8cb9b8de759e39.jsonl',2477);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','3');
INSERT INTO "meta" VALUES('user_key','4554de270718d29c0716e8ba68d7866152079ceaaa67331abff64828edabb951');
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22900-76ff-774f-924b-856f030c115e','win',12.5,NULL,1795984226068309);
INSERT INTO "outcomes" VALUES('01a22900-7702-7962-b786-eb0cd09e99b3','loss',-8.0,NULL,1795984226068309);
INSERT INTO "outcomes" VALUES('01a22900-7705-77cb-892e-09fa255c5bbf','neutral',NULL,NULL,1795984226068309);
INSERT INTO "outcomes" VALUES('01a22900-773d-73a6-9910-2b40247b1c63','win',3.0,NULL,1795984226122004);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984226114092,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984226120064,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(4,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','ff1905675b8172efa0bd7522be24eaad','A');
INSERT INTO "users" VALUES('split','c85a532999a3815d1777b38ae6f78afc','B');
INSERT INTO "users" VALUES('split','cde1c41e2658bb4a48dffbe7f468424c','B');
INSERT INTO "users" VALUES('split','45d4d2bb90d3adb6d38679b57a0db6a7','A');
INSERT INTO "users" VALUES('split','5e905d16a9fc34bf17899b0d14a3c67d','B');
INSERT INTO "users" VALUES('shadow','45d4d2bb90d3adb6d38679b57a0db6a7','A');
CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code));
INSERT INTO "warned" VALUES('split','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('split','B','OUT_OF_RANGE',3);
INSERT INTO "warned" VALUES('shadow','A','OUT_OF_RANGE',3);
CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id);
COMMIT;
