BEGIN TRANSACTION;
CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason));
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','638b19c88676c658a5de32c520da4e20','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','638b19c88676c658a5de32c520da4e20','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','638b19c88676c658a5de32c520da4e20','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984255323155,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984255378171);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984255335441,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984255378171);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984255347388,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984255378171);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984255350227,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984255378171);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984255354754,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984255378171);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984255449948,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984255452743,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984255455262,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984255470448,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984255475246,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984255304391,'{"experiment_id":"draft","name":"Not yet","description":"A draft","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"draft","created_at":1795984255304391,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO "experiments" VALUES('split',1795984255308785,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984255308785,"activated_at":1795984255312008,"stopped_at":1795984255432552,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984255378171,"chosen_by":"anybody"}]}');
INSERT INTO "experiments" VALUES('crossover',1795984255439151,'{"experiment_id":"crossover","name":"Crossover","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984255439151,"activated_at":1795984255442490,"stopped_at":1795984255463850,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO "experiments" VALUES('shadow',1795984255460639,'{"experiment_id":"shadow","name":"Shadow","description":"","owner":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"active","created_at":1795984255460639,"activated_at":1795984255463531,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-e95b-73f2-a832-bba214c26a61',1795984255323155,'split','B','v3.1',NULL,'dcc30df0c7ac3ad9cb98f584c46a6abc','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1171,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-e967-74c6-986b-e6b416db6087',1795984255335441,'split','A','v3.0',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,844,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-e973-7b99-9f29-7a6ac01db9a8',1795984255347388,'split','A','v3.0',NULL,'b5eb5f7dbde63d80b1f274da37d5db84','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,819,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-e976-770d-99aa-4d665627d8cb',1795984255350227,'split','B','v3.1',NULL,'6f04e750f6fd06e4154f42dc1ac5ee10','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,743,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-e97a-7c09-a541-fad7434928f5',1795984255354754,'split','B','v3.1',NULL,'64d153a8795a2120a03c040a5f066774','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,651,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-e9d9-70a0-8930-762cff391124',1795984255449948,'crossover','B','v3.1',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,955,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22900-e9dc-7241-ae01-60dcda9c19c8',1795984255452743,'crossover','A','v3.0',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,864,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22900-e9df-7df2-a1a3-3404b8574eea',1795984255455262,'crossover','A','v3.0',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,648,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22900-e9ee-73ab-bbbb-e0fa51e89a1e',1795984255470448,'shadow','A','v3.1',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,617,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-e9f0-7071-957a-edaec1fef130',1795984255472719,'shadow','A','v3.1',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,583,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-e9f3-7050-9dbe-b35962f12557',1795984255475246,'shadow','A','v3.1',NULL,'638b19c88676c658a5de32c520da4e20','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,767,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984254918268831-14504-22d7f0197270b7fb.jsonl',3313);
CREATE TABLE looks (
            experiment_id TEXT, slot BIGINT, body TEXT NOT NULL, PRIMARY KEY (experiment_id, slot));
INSERT INTO "looks" VALUES('split',1995538,'{"at":1795984255392000,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','8');
INSERT INTO "meta" VALUES('user_key','7aea255c695e82192f54775400b93765d7520bc80581a022c3869c34974b6ea7');
CREATE TABLE minutes (
            experiment_id TEXT, variant TEXT, minute BIGINT, requests BIGINT NOT NULL, fallbacks BIGINT NOT NULL,
            failures BIGINT NOT NULL, refused BIGINT NOT NULL, slow BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, minute));
INSERT INTO "minutes" VALUES('split','B',29933070,3,0,0,0,0);
INSERT INTO "minutes" VALUES('split','A',29933070,2,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','B',29933070,1,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','A',29933070,2,0,0,0,0);
INSERT INTO "minutes" VALUES('shadow','A',29933070,3,0,0,0,0);
CREATE TABLE notes (
            experiment_id TEXT, number BIGINT, noted_at BIGINT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (experiment_id, number));
INSERT INTO "notes" VALUES('split',1,1795984255385909,'Volumes of another source');
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22900-e95b-73f2-a832-bba214c26a61','win',12.5,NULL,1795984255371908);
INSERT INTO "outcomes" VALUES('01a22900-e967-74c6-986b-e6b416db6087','loss',-8.0,NULL,1795984255371908);
INSERT INTO "outcomes" VALUES('01a22900-e973-7b99-9f29-7a6ac01db9a8','neutral',NULL,NULL,1795984255371908);
INSERT INTO "outcomes" VALUES('01a22900-e9ee-73ab-bbbb-e0fa51e89a1e','win',3.0,NULL,1795984255480683);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984255474959,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1,0);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984255479951,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, refused BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','dcc30df0c7ac3ad9cb98f584c46a6abc','B');
INSERT INTO "users" VALUES('split','638b19c88676c658a5de32c520da4e20','A');
INSERT INTO "users" VALUES('split','64d153a8795a2120a03c040a5f066774','B');
INSERT INTO "users" VALUES('split','6f04e750f6fd06e4154f42dc1ac5ee10','B');
INSERT INTO "users" VALUES('split','b5eb5f7dbde63d80b1f274da37d5db84','A');
INSERT INTO "users" VALUES('crossover','638b19c88676c658a5de32c520da4e20','A');
INSERT INTO "users" VALUES('crossover','638b19c88676c658a5de32c520da4e20','B');
INSERT INTO "users" VALUES('shadow','638b19c88676c658a5de32c520da4e20','A');
CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code));
INSERT INTO "warned" VALUES('split','B','OUT_OF_RANGE',3);
INSERT INTO "warned" VALUES('split','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('crossover','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('crossover','B','OUT_OF_RANGE',1);
INSERT INTO "warned" VALUES('shadow','A','OUT_OF_RANGE',3);
CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id);
COMMIT;
