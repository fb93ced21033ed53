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
            shadow_at BIGINT, shadow_a_signal TEXT, shadow_a_confidence DOUBLE PRECISION,
            shadow_b_signal TEXT, shadow_b_confidence DOUBLE PRECISION,
            PRIMARY KEY (experiment_id, pair, timeframe, candle));
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984221049782,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984221084388,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984221054839,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984221084388,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984221058496,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984221084388,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984221063390,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984221084388,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984221066383,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984221084388,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984221130017,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL,1795984221135465,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984221141941,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL,1795984221148071,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984221031333,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984221031333,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO "experiments" VALUES('split',1795984221037167,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984221037167,"activated_at":1795984221041507,"stopped_at":1795984221103699,"stop_reason":"stopped by request","imported":null}');
INSERT INTO "experiments" VALUES('shadow',1795984221116318,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984221116318,"activated_at":1795984221120340,"stopped_at":null,"stop_reason":null,"imported":null}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT);
INSERT INTO "exposures" VALUES('01a22900-6379-7926-8a7a-803c5fe67150',1795984221049782,'split','B','v3.1',NULL,'f0d2a6fbd9c9decb78006fec81369b5e','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1552,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-637e-78a1-a177-c63e619f7983',1795984221054839,'split','A','v3.0',NULL,'6542c8756499be7b00026316109fa85a','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1117,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-6382-7864-a73f-17e9e9ded90b',1795984221058496,'split','A','v3.0',NULL,'d639dfba2931171c0ba9d5f2d965e0bd','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1036,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-6387-7e3d-9231-46f8d39d0c3c',1795984221063390,'split','B','v3.1',NULL,'6120702bfe59caf70a22f2b9ecc455e5','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,940,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-638a-7220-ad99-9e9fe3014dba',1795984221066383,'split','B','v3.1',NULL,'74a4d4e7b69ada9b7e754a66ce36b1f7','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1031,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-63ca-7512-8fea-ff333c9f2859',1795984221130017,'shadow','A','v3.1',NULL,'6542c8756499be7b00026316109fa85a','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,910,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-63d0-7228-bf1f-50d3e075eb60',1795984221136449,'shadow','A','v3.1',NULL,'6542c8756499be7b00026316109fa85a','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,531,0,'OUT_OF_RANGE');
INSERT INTO "exposures" VALUES('01a22900-63d5-7ffe-85e7-57768e44d522',1795984221141941,'shadow','A','v3.1',NULL,'6542c8756499be7b00026316109fa85a','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,658,0,'OUT_OF_RANGE');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984220879934954-14212-5ff45ea66f814147.jsonl',2279);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','2');
INSERT INTO "meta" VALUES('user_key','c5f749b7e2cd2a4ded150a44529bb64bcacea31d766ade595c195e59dd52f956');
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22900-6379-7926-8a7a-803c5fe67150','win',12.5,NULL,1795984221077421);
INSERT INTO "outcomes" VALUES('01a22900-637e-78a1-a177-c63e619f7983','loss',-8.0,NULL,1795984221077421);
INSERT INTO "outcomes" VALUES('01a22900-6382-7864-a73f-17e9e9ded90b','neutral',NULL,NULL,1795984221077421);
INSERT INTO "outcomes" VALUES('01a22900-63ca-7512-8fea-ff333c9f2859','win',3.0,NULL,1795984221152958);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(4,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','f0d2a6fbd9c9decb78006fec81369b5e','B');
INSERT INTO "users" VALUES('split','d639dfba2931171c0ba9d5f2d965e0bd','A');
INSERT INTO "users" VALUES('split','74a4d4e7b69ada9b7e754a66ce36b1f7','B');
INSERT INTO "users" VALUES('split','6542c8756499be7b00026316109fa85a','A');
INSERT INTO "users" VALUES('split','6120702bfe59caf70a22f2b9ecc455e5','B');
INSERT INTO "users" VALUES('shadow','6542c8756499be7b00026316109fa85a','A');
CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code));
INSERT INTO "warned" VALUES('split','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('split','B','OUT_OF_RANGE',3);
INSERT INTO "warned" VALUES('shadow','A','OUT_OF_RANGE',3);
CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id);
COMMIT;
