BEGIN TRANSACTION;
CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason));
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','64201a54ba82fcf1289a4b32250330fa','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','64201a54ba82fcf1289a4b32250330fa','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','64201a54ba82fcf1289a4b32250330fa','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984240562098,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984240588125);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984240566077,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984240588125);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984240568756,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984240588125);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984240571119,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984240588125);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984240573448,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984240588125);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984240645166,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984240647563,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984240652286,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984240673703,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984240679575,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984240543560,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984240543560,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO "experiments" VALUES('split',1795984240549969,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984240549969,"activated_at":1795984240553424,"stopped_at":1795984240623148,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984240588125,"chosen_by":"anybody"}]}');
INSERT INTO "experiments" VALUES('crossover',1795984240634145,'{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984240634145,"activated_at":1795984240637710,"stopped_at":1795984240666214,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO "experiments" VALUES('shadow',1795984240662113,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984240662113,"activated_at":1795984240665738,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-afb2-7877-88fd-2c7596d0e642',1795984240562098,'split','B','v3.1',NULL,'bb22a23b912bd4807072d3f1e4b9ca0c','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1155,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-afb6-7ed2-b50c-66923f554213',1795984240566077,'split','A','v3.0',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,809,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-afb8-7bef-8590-b6134949a41d',1795984240568756,'split','A','v3.0',NULL,'c889363801e61bcfa82e4129aba66473','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,742,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-afbb-7803-9743-1af33f28a85d',1795984240571119,'split','B','v3.1',NULL,'d2f2b101bfc4a4e00111bd5ec55c4fea','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,609,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-afbd-7f8c-af08-9259e142d973',1795984240573448,'split','B','v3.1',NULL,'3d3d0bd8534456c325b5b560377fc696','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,592,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-b005-7da6-9915-77810d7a63e7',1795984240645166,'crossover','B','v3.1',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,966,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22900-b007-7e80-ac07-ef9ba263d495',1795984240647563,'crossover','A','v3.0',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,660,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22900-b00c-710a-854a-00e539b2f335',1795984240652286,'crossover','A','v3.0',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,752,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22900-b021-79f7-986b-10ef8b1bf867',1795984240673703,'shadow','A','v3.1',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,832,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-b024-76f8-9b50-b7d3f5c45aca',1795984240676757,'shadow','A','v3.1',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,442,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-b027-7712-9396-671026f051a2',1795984240679575,'shadow','A','v3.1',NULL,'64201a54ba82fcf1289a4b32250330fa','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,338,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984240444170167-14354-3d801cd8fc81671d.jsonl',3313);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','6');
INSERT INTO "meta" VALUES('user_key','5b5611f1180be42900ad8c79bcba16145e99be4fd4ddc47cfc8330e5472f9cca');
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
INSERT INTO "outcomes" VALUES('01a22900-afb2-7877-88fd-2c7596d0e642','win',12.5,NULL,1795984240581630);
INSERT INTO "outcomes" VALUES('01a22900-afb6-7ed2-b50c-66923f554213','loss',-8.0,NULL,1795984240581630);
INSERT INTO "outcomes" VALUES('01a22900-afb8-7bef-8590-b6134949a41d','neutral',NULL,NULL,1795984240581630);
INSERT INTO "outcomes" VALUES('01a22900-b021-79f7-986b-10ef8b1bf867','win',3.0,NULL,1795984240685841);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984240679013,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1,0);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984240685332,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, refused BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','3d3d0bd8534456c325b5b560377fc696','B');
INSERT INTO "users" VALUES('split','64201a54ba82fcf1289a4b32250330fa','A');
INSERT INTO "users" VALUES('split','bb22a23b912bd4807072d3f1e4b9ca0c','B');
INSERT INTO "users" VALUES('split','c889363801e61bcfa82e4129aba66473','A');
INSERT INTO "users" VALUES('split','d2f2b101bfc4a4e00111bd5ec55c4fea','B');
INSERT INTO "users" VALUES('crossover','64201a54ba82fcf1289a4b32250330fa','A');
INSERT INTO "users" VALUES('crossover','64201a54ba82fcf1289a4b32250330fa','B');
INSERT INTO "users" VALUES('shadow','64201a54ba82fcf1289a4b32250330fa','A');
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
