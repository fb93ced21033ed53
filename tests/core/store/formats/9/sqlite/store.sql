BEGIN TRANSACTION;
CREATE TABLE beside (
            experiment_id TEXT, reason TEXT, requests BIGINT NOT NULL, PRIMARY KEY (experiment_id, reason));
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','19778b1118418f2a9b9a1436af54c0f1','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','19778b1118418f2a9b9a1436af54c0f1','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','19778b1118418f2a9b9a1436af54c0f1','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984263661004,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984263742354);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984263663821,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984263742354);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984263666077,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984263742354);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984263668139,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984263742354);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984263670153,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984263742354);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984263855480,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984263858173,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984263860379,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984263894672,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984263902351,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984263641010,'{"experiment_id":"draft","name":"Not yet","description":"A draft","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"draft","created_at":1795984263641010,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null,"digests":null,"label_rules":[]}');
INSERT INTO "experiments" VALUES('split',1795984263648719,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984263648719,"activated_at":1795984263652091,"stopped_at":1795984263830919,"stop_reason":"stopped by request","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[{"rule":{"horizon":10,"min_profit_pips":6.0,"max_loss_pips":10.0,"min_ratio":1.5},"timeframe":"1h","chosen_at":1795984263742354,"chosen_by":"anybody"}]}');
INSERT INTO "experiments" VALUES('crossover',1795984263845750,'{"experiment_id":"crossover","name":"Crossover","description":"","owner":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"stopped","created_at":1795984263845750,"activated_at":1795984263848945,"stopped_at":1795984263887373,"stop_reason":"experiment shadow was activated","imported":null,"digests":{"A":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4","B":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911"},"label_rules":[]}');
INSERT INTO "experiments" VALUES('shadow',1795984263884099,'{"experiment_id":"shadow","name":"Shadow","description":"","owner":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"stop_at":null,"status":"active","created_at":1795984263884099,"activated_at":1795984263887079,"stopped_at":null,"stop_reason":null,"imported":null,"digests":{"A":"425039ea9b29eb4b2e27285c85de989893f1941f89de2d91b5d0462a85f3f911","B":"98757a958e598e9e457341fed853af3cc05513fe64d9b67d916b5ec5323604d4"},"label_rules":[]}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22901-09ed-7cbe-bf1e-05ced34be585',1795984263661004,'split','B','v3.1',NULL,'a531a0492f86156c05b2d0118ea681c1','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1299,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22901-09ef-7ef5-8744-e839169a5d6f',1795984263663821,'split','A','v3.0',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,584,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22901-09f2-7735-a15a-ce9340f89514',1795984263666077,'split','A','v3.0',NULL,'92daa4f2b986524f63ee8e0707c13456','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,509,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22901-09f4-7a1d-94df-0fe055dab88c',1795984263668139,'split','B','v3.1',NULL,'9ff74a5ef3c9d069e8842b06f8b430e4','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,499,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22901-09f6-78d9-b5a9-d874d7841b53',1795984263670153,'split','B','v3.1',NULL,'0a1b00a0b710d444b3602e1d3816fdb3','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,474,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22901-0aaf-75fe-a42a-b16d062b29ef',1795984263855480,'crossover','B','v3.1',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,789,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22901-0ab2-7e8e-a44c-965cbcf15ebe',1795984263858173,'crossover','A','v3.0',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,655,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22901-0ab4-7351-af0b-56f42ab6c057',1795984263860379,'crossover','A','v3.0',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,637,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22901-0ad6-78cc-8629-256a56b6a8a9',1795984263894672,'shadow','A','v3.1',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,765,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22901-0ad8-7d7a-aa09-348a3517d4e5',1795984263896871,'shadow','A','v3.1',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,585,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22901-0ade-7554-ab9a-84e11e124f51',1795984263902351,'shadow','A','v3.1',NULL,'19778b1118418f2a9b9a1436af54c0f1','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,483,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984263243331236-14722-15b7a4d91bbe117d.jsonl',3313);
CREATE TABLE looks (
            experiment_id TEXT, slot BIGINT, body TEXT NOT NULL, PRIMARY KEY (experiment_id, slot));
INSERT INTO "looks" VALUES('split',1995538,'{"at":1795984263800118,"estimate":0.0,"interval":[-1.0,1.0],"candles":5,"word":"not yet","valid":false}');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','9');
INSERT INTO "meta" VALUES('user_key','8fd51999315f7fceedb05a1c62d62147c8d14ed7f83677e4deef6e449820ef2e');
CREATE TABLE minutes (
            experiment_id TEXT, variant TEXT, minute BIGINT, requests BIGINT NOT NULL, fallbacks BIGINT NOT NULL,
            failures BIGINT NOT NULL, refused BIGINT NOT NULL, slow BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, minute));
INSERT INTO "minutes" VALUES('split','B',29933071,3,0,0,0,0);
INSERT INTO "minutes" VALUES('split','A',29933071,2,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','B',29933071,1,0,0,0,0);
INSERT INTO "minutes" VALUES('crossover','A',29933071,2,0,0,0,0);
INSERT INTO "minutes" VALUES('shadow','A',29933071,3,0,0,0,0);
CREATE TABLE notes (
            experiment_id TEXT, number BIGINT, noted_at BIGINT NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (experiment_id, number));
INSERT INTO "notes" VALUES('split',1,1795984263764902,'Volumes of another source');
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22901-09ed-7cbe-bf1e-05ced34be585','win',12.5,NULL,1795984263713568);
INSERT INTO "outcomes" VALUES('01a22901-09ef-7ef5-8744-e839169a5d6f','loss',-8.0,NULL,1795984263713568);
INSERT INTO "outcomes" VALUES('01a22901-09f2-7735-a15a-ce9340f89514','neutral',NULL,NULL,1795984263713568);
INSERT INTO "outcomes" VALUES('01a22901-0ad6-78cc-8629-256a56b6a8a9','win',3.0,NULL,1795984263917641);
CREATE TABLE replicas (replica_id TEXT PRIMARY KEY, seen_at BIGINT NOT NULL, body TEXT NOT NULL);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984263900802,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1,0);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984263907573,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, refused BIGINT NOT NULL DEFAULT 0, late BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','0a1b00a0b710d444b3602e1d3816fdb3','B');
INSERT INTO "users" VALUES('split','19778b1118418f2a9b9a1436af54c0f1','A');
INSERT INTO "users" VALUES('split','92daa4f2b986524f63ee8e0707c13456','A');
INSERT INTO "users" VALUES('split','9ff74a5ef3c9d069e8842b06f8b430e4','B');
INSERT INTO "users" VALUES('split','a531a0492f86156c05b2d0118ea681c1','B');
INSERT INTO "users" VALUES('crossover','19778b1118418f2a9b9a1436af54c0f1','A');
INSERT INTO "users" VALUES('crossover','19778b1118418f2a9b9a1436af54c0f1','B');
INSERT INTO "users" VALUES('shadow','19778b1118418f2a9b9a1436af54c0f1','A');
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
