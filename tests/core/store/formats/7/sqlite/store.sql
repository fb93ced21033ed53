BEGIN TRANSACTION;
CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason));
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','103ff09ea5598856dec068ff72dde780','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','103ff09ea5598856dec068ff72dde780','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','103ff09ea5598856dec068ff72dde780','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984246018810,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984246053781);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984246027684,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984246053781);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984246030313,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984246053781);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984246034141,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984246053781);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984246036288,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984246053781);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984246130860,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984246133354,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984246135674,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984246150967,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984246154950,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984245984115,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984245984115,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO "experiments" VALUES('split',1795984245988490,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984245988490,"activated_at":1795984246003432,"stopped_at":1795984246113061,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984246053781,"chosen_by":"anybody"}]}');
INSERT INTO "experiments" VALUES('crossover',1795984246118096,'{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984246118096,"activated_at":1795984246123249,"stopped_at":1795984246144992,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO "experiments" VALUES('shadow',1795984246141329,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984246141329,"activated_at":1795984246144525,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-c502-75de-92e3-dfb7f3e9ed16',1795984246018810,'split','B','v3.1',NULL,'75d9fec55fbd0359e23f520db112fdeb','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1214,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-c50b-7603-b6bb-47a7e10c5007',1795984246027684,'split','A','v3.0',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,767,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-c50e-7957-b536-b5feea7ec55a',1795984246030313,'split','A','v3.0',NULL,'410f337b51a25bad843e9f77787ad69a','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,682,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-c512-7d9f-ae04-d659be8681a0',1795984246034141,'split','B','v3.1',NULL,'adb6e60a9b694bd53a070ee4578998b6','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,606,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-c514-7e73-9268-220af90da408',1795984246036288,'split','B','v3.1',NULL,'18a0b4d44eaff96373cdfc4a7da835fc','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,550,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-c572-736d-9355-2b919fc9f88e',1795984246130860,'crossover','B','v3.1',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1043,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22900-c575-71d4-b2ee-dfb3d080fe13',1795984246133354,'crossover','A','v3.0',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,688,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22900-c577-76a5-92f7-6cb35a6e05f8',1795984246135674,'crossover','A','v3.0',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,697,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22900-c586-7846-ae1c-6cce4b09a315',1795984246150967,'shadow','A','v3.1',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,793,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-c589-78f6-a383-17e7746e0797',1795984246153083,'shadow','A','v3.1',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,546,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-c58a-7a35-afcd-0cd5b2d326ed',1795984246154950,'shadow','A','v3.1',NULL,'103ff09ea5598856dec068ff72dde780','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,427,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984245815660981-14399-228c926a2d326305.jsonl',3314);
CREATE TABLE looks (
            experiment_id TEXT, slot BIGINT, body TEXT NOT NULL, PRIMARY KEY (experiment_id, slot));
INSERT INTO "looks" VALUES('split',1995538,'{"at":1795984246072252,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','7');
INSERT INTO "meta" VALUES('user_key','fdce279031c9abb3a36fd04b49bc5da5ac7ef2ab67af64fa8701cc40a2871bf4');
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
INSERT INTO "outcomes" VALUES('01a22900-c502-75de-92e3-dfb7f3e9ed16','win',12.5,NULL,1795984246047663);
INSERT INTO "outcomes" VALUES('01a22900-c50b-7603-b6bb-47a7e10c5007','loss',-8.0,NULL,1795984246047663);
INSERT INTO "outcomes" VALUES('01a22900-c50e-7957-b536-b5feea7ec55a','neutral',NULL,NULL,1795984246047663);
INSERT INTO "outcomes" VALUES('01a22900-c586-7846-ae1c-6cce4b09a315','win',3.0,NULL,1795984246159697);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984246155960,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1,0);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984246155960,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, refused BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','103ff09ea5598856dec068ff72dde780','A');
INSERT INTO "users" VALUES('split','18a0b4d44eaff96373cdfc4a7da835fc','B');
INSERT INTO "users" VALUES('split','410f337b51a25bad843e9f77787ad69a','A');
INSERT INTO "users" VALUES('split','75d9fec55fbd0359e23f520db112fdeb','B');
INSERT INTO "users" VALUES('split','adb6e60a9b694bd53a070ee4578998b6','B');
INSERT INTO "users" VALUES('crossover','103ff09ea5598856dec068ff72dde780','A');
INSERT INTO "users" VALUES('crossover','103ff09ea5598856dec068ff72dde780','B');
INSERT INTO "users" VALUES('shadow','103ff09ea5598856dec068ff72dde780','A');
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
