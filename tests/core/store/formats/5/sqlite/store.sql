BEGIN TRANSACTION;
CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason));
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','d6216fa84dc79ba3ffe438923cfca29a','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','d6216fa84dc79ba3ffe438923cfca29a','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','d6216fa84dc79ba3ffe438923cfca29a','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984235780497,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984235802435);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984235784052,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984235802435);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984235786571,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984235802435);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984235788929,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984235802435);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984235791194,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984235802435);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984235850083,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984235853370,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984235856449,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984235875728,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984235882439,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984235763219,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984235763219,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null}');
INSERT INTO "experiments" VALUES('split',1795984235767727,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984235767727,"activated_at":1795984235771825,"stopped_at":1795984235829965,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"}}');
INSERT INTO "experiments" VALUES('crossover',1795984235836669,'{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984235836669,"activated_at":1795984235840403,"stopped_at":1795984235867480,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"}}');
INSERT INTO "experiments" VALUES('shadow',1795984235863174,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984235863174,"activated_at":1795984235867028,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"}}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-9d04-7ead-8846-aa1d35a54ce2',1795984235780497,'split','B','v3.1',NULL,'d20a08cc7dcd52dd3c41324aa409fa9e','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1222,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-9d08-776f-b0c2-276c6d6d8a79',1795984235784052,'split','A','v3.0',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,681,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-9d0a-7d83-b651-4335436ce4b7',1795984235786571,'split','A','v3.0',NULL,'d54352baf8212242f10e92fdf81bee54','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,614,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-9d0c-7ca0-bb53-0c38e31a808d',1795984235788929,'split','B','v3.1',NULL,'221d2f4ec45976049e771aadf2cd14cf','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,622,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-9d0f-71a2-b0ec-3c574ef54787',1795984235791194,'split','B','v3.1',NULL,'78b1068791b2ea2eff26975eef633935','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,628,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-9d4a-7f86-be12-e2caffb1b74a',1795984235850083,'crossover','B','v3.1',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1091,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22900-9d4d-7c70-8dff-84244d80f060',1795984235853370,'crossover','A','v3.0',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,838,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22900-9d50-754f-bfc3-f8ab3d8e1c03',1795984235856449,'crossover','A','v3.0',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,794,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22900-9d63-7e68-b88a-322f62677cf8',1795984235875728,'shadow','A','v3.1',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,888,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-9d66-700f-a383-c709d892198a',1795984235878871,'shadow','A','v3.1',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,641,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-9d6a-7856-b28d-dd4eea496332',1795984235882439,'shadow','A','v3.1',NULL,'d6216fa84dc79ba3ffe438923cfca29a','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,558,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984235674228669-14316-769ad6fedebbbf78.jsonl',3314);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','5');
INSERT INTO "meta" VALUES('user_key','33e7799e90f8d81d152df9856d91a120122e6cdb41bac0bcf77ada22e3d2e3a1');
CREATE TABLE minutes (
            experiment_id TEXT, variant TEXT, minute BIGINT, requests BIGINT NOT NULL, fallbacks BIGINT NOT NULL,
            failures BIGINT NOT NULL, refused BIGINT NOT NULL, slow BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, minute));
INSERT INTO "minutes" VALUES('split','B',29933070,3,0,0,0,0);
INSERT INTO "minutes" VALUES('split','A',29933070,2,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','B',29933070,1,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','A',29933070,2,0,0,0,0);
INSERT INTO "minutes" VALUES('shadow','A',29933070,3,0,0,0,0);
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22900-9d04-7ead-8846-aa1d35a54ce2','win',12.5,NULL,1795984235797847);
INSERT INTO "outcomes" VALUES('01a22900-9d08-776f-b0c2-276c6d6d8a79','loss',-8.0,NULL,1795984235797847);
INSERT INTO "outcomes" VALUES('01a22900-9d0a-7d83-b651-4335436ce4b7','neutral',NULL,NULL,1795984235797847);
INSERT INTO "outcomes" VALUES('01a22900-9d63-7e68-b88a-322f62677cf8','win',3.0,NULL,1795984235898744);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984235881458,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984235887801,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, refused BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','221d2f4ec45976049e771aadf2cd14cf','B');
INSERT INTO "users" VALUES('split','78b1068791b2ea2eff26975eef633935','B');
INSERT INTO "users" VALUES('split','d20a08cc7dcd52dd3c41324aa409fa9e','B');
INSERT INTO "users" VALUES('split','d54352baf8212242f10e92fdf81bee54','A');
INSERT INTO "users" VALUES('split','d6216fa84dc79ba3ffe438923cfca29a','A');
INSERT INTO "users" VALUES('crossover','d6216fa84dc79ba3ffe438923cfca29a','A');
INSERT INTO "users" VALUES('crossover','d6216fa84dc79ba3ffe438923cfca29a','B');
INSERT INTO "users" VALUES('shadow','d6216fa84dc79ba3ffe438923cfca29a','A');
CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code));
INSERT INTO "warned" VALUES('split','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('split','B','OUT_OF_RANGE',3);
INSERT INTO "warned" VALUES('crossover','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('crossover','B','OUT_OF_RANGE',1);
INSERT INTO "warned" VALUES('shadow','A','OUT_OF_RANGE',3);
CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id);
COMMIT;
