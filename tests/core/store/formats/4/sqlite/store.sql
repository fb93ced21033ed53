BEGIN TRANSACTION;
CREATE TABLE blocks (
            experiment_id TEXT, pseudonym TEXT, block TEXT, variant TEXT,
            PRIMARY KEY (experiment_id, pseudonym, block, variant));
INSERT INTO "blocks" VALUES('crossover','31b0385634d751019d068df260db11d2','1h:17529','B');
INSERT INTO "blocks" VALUES('crossover','31b0385634d751019d068df260db11d2','1h:17530','A');
INSERT INTO "blocks" VALUES('crossover','31b0385634d751019d068df260db11d2','1h:17531','A');
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
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514581200000',1795984231003845,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,1,0,0,12.5,1,0,100.0,1795984231025284);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514584800000',1795984231007046,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,1,0,-8.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984231025284);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514588400000',1795984231009351,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,1,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,0,100.0,1795984231025284);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514592000000',1795984231011590,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984231025284);
INSERT INTO "candles" VALUES('split','EUR/USD','1h','t:1514595600000',1795984231013767,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,100.0,1795984231025284);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514581200000',1795984231066220,0,0,0,0,0.0,0.0,0,0,0,0.0,0,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514667600000',1795984231069696,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('crossover','EUR/USD','1h','t:1514754000000',1795984231072184,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514581200000',1795984231086168,2,0,0,2,1.58641219139099121093e+00,1.25835182049698346418e+00,1,0,0,3.0,1,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
INSERT INTO "candles" VALUES('shadow','EUR/USD','1h','t:1514584800000',1795984231090933,1,0,0,1,7.93206095695495605468e-01,6.2917591024849173209e-01,0,0,0,0.0,0,0,0,0,0,0.0,0.0,0,0,0,0.0,0,-1,NULL,NULL);
CREATE TABLE experiments (experiment_id TEXT PRIMARY KEY, created_at BIGINT NOT NULL, body TEXT NOT NULL);
INSERT INTO "experiments" VALUES('draft',1795984230989970,'{"experiment_id":"draft","name":"Not yet","description":"A draft","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"draft","created_at":1795984230989970,"activated_at":null,"stopped_at":null,"stop_reason":null,"imported":null}');
INSERT INTO "experiments" VALUES('split',1795984230993926,'{"experiment_id":"split","name":"v3.0 or v3.1?","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"split","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984230993926,"activated_at":1795984230997039,"stopped_at":1795984231051131,"stop_reason":"stopped by request","imported":null}');
INSERT INTO "experiments" VALUES('crossover',1795984231056631,'{"experiment_id":"crossover","name":"Crossover","description":"","variant_a":"v3.0","variant_b":"v3.1","traffic_split":0.5,"mode":"crossover","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"stopped","created_at":1795984231056631,"activated_at":1795984231060113,"stopped_at":1795984231080347,"stop_reason":"experiment shadow was activated","imported":null}');
INSERT INTO "experiments" VALUES('shadow',1795984231077490,'{"experiment_id":"shadow","name":"Shadow","description":"","variant_a":"v3.1","variant_b":"v3.0","traffic_split":1.0,"mode":"shadow","metric":"win_rate","minimum_effect":0.02,"guardrails":{},"status":"active","created_at":1795984231077490,"activated_at":1795984231080341,"stopped_at":null,"stop_reason":null,"imported":null}');
CREATE TABLE exposures (
            prediction_id TEXT PRIMARY KEY, answered_at BIGINT NOT NULL, experiment_id TEXT NOT NULL,
            variant TEXT NOT NULL, version TEXT NOT NULL, fallback_reason TEXT, pseudonym TEXT,
            pair TEXT NOT NULL, timeframe TEXT NOT NULL, candle TEXT NOT NULL, signal TEXT NOT NULL,
            confidence DOUBLE PRECISION NOT NULL, stage1_prob DOUBLE PRECISION NOT NULL,
            stage2_prob DOUBLE PRECISION, latency_us BIGINT NOT NULL, slow BOOLEAN NOT NULL, warnings TEXT, window_key TEXT NOT NULL DEFAULT '', block TEXT NOT NULL DEFAULT '');
INSERT INTO "exposures" VALUES('01a22900-8a5b-78f7-8a5d-2a438f88e76d',1795984231003845,'split','B','v3.1',NULL,'40b36937f28a77780453161606030b3b','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,1140,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-8a5f-761d-ae28-531fba9b6ab8',1795984231007046,'split','A','v3.0',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,638,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-8a61-7d82-aad2-6894803baafd',1795984231009351,'split','A','v3.0',NULL,'fa657141107f9999b5b19bd593d142b0','EUR/USD','1h','t:1514588400000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,570,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-8a63-79c8-957c-6e1f30745620',1795984231011590,'split','B','v3.1',NULL,'0c5d2b6bdd533772453b9a497ffef4a9','EUR/USD','1h','t:1514592000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,534,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-8a65-7245-bd68-5a0c22229821',1795984231013767,'split','B','v3.1',NULL,'a21785a76d6f36175361143547ba00a6','EUR/USD','1h','t:1514595600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,578,0,'OUT_OF_RANGE','','');
INSERT INTO "exposures" VALUES('01a22900-8a9a-7916-b2e1-0a4bb0c7fc5d',1795984231066220,'crossover','B','v3.1',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,990,0,'OUT_OF_RANGE','','1h:17529');
INSERT INTO "exposures" VALUES('01a22900-8a9d-777a-803a-95722a8a6eae',1795984231069696,'crossover','A','v3.0',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514667600000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,701,0,'OUT_OF_RANGE','','1h:17530');
INSERT INTO "exposures" VALUES('01a22900-8aa0-720d-9573-74179b7debe1',1795984231072184,'crossover','A','v3.0',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514754000000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,703,0,'OUT_OF_RANGE','','1h:17531');
INSERT INTO "exposures" VALUES('01a22900-8aae-76fb-b383-afc2019eba8c',1795984231086168,'shadow','A','v3.1',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,783,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-8ab0-7017-809d-e9a301c35965',1795984231088279,'shadow','A','v3.1',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514581200000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,499,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
INSERT INTO "exposures" VALUES('01a22900-8ab2-7cd6-8493-f266d7a9288e',1795984231090933,'shadow','A','v3.1',NULL,'31b0385634d751019d068df260db11d2','EUR/USD','1h','t:1514584800000','short',7.93206095695495605468e-01,7.79471039772033691406e-01,7.97784447669982910156e-01,545,0,'OUT_OF_RANGE','w:17f8b0b0e0d362de8f428eedc6a5cba4','');
CREATE TABLE journals (name TEXT PRIMARY KEY, upto BIGINT NOT NULL);
INSERT INTO "journals" VALUES('01795984230952673544-14273-9ed2383a0a643ba9.jsonl',3313);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('schema','4');
INSERT INTO "meta" VALUES('user_key','e2d62f9dd300e49a5de4b5429fe205183f70da4c029cfeb469f10125df9b7131');
CREATE TABLE outcomes (
            prediction_id TEXT PRIMARY KEY, outcome TEXT NOT NULL, pnl_pips DOUBLE PRECISION, closed_at BIGINT,
            reported_at BIGINT NOT NULL);
INSERT INTO "outcomes" VALUES('01a22900-8a5b-78f7-8a5d-2a438f88e76d','win',12.5,NULL,1795984231020520);
INSERT INTO "outcomes" VALUES('01a22900-8a5f-761d-ae28-531fba9b6ab8','loss',-8.0,NULL,1795984231020520);
INSERT INTO "outcomes" VALUES('01a22900-8a61-7d82-aad2-6894803baafd','neutral',NULL,NULL,1795984231020520);
INSERT INTO "outcomes" VALUES('01a22900-8aae-76fb-b383-afc2019eba8c','win',3.0,NULL,1795984231096470);
CREATE TABLE scores (
            experiment_id TEXT, pair TEXT, timeframe TEXT, candle TEXT, window_key TEXT, scored_at BIGINT,
            a_signal TEXT, a_confidence DOUBLE PRECISION, b_signal TEXT, b_confidence DOUBLE PRECISION,
            wins BIGINT NOT NULL DEFAULT 0, losses BIGINT NOT NULL DEFAULT 0, neutrals BIGINT NOT NULL DEFAULT 0,
            pnl DOUBLE PRECISION NOT NULL DEFAULT 0, pnl_count BIGINT NOT NULL DEFAULT 0,
            PRIMARY KEY (experiment_id, pair, timeframe, candle, window_key));
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514581200000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984231091351,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,1,0,0,3.0,1);
INSERT INTO "scores" VALUES('shadow','EUR/USD','1h','t:1514584800000','w:17f8b0b0e0d362de8f428eedc6a5cba4',1795984231091351,'short',7.93206095695495605468e-01,'short',7.93206095695495605468e-01,0,0,0,0.0,0);
CREATE TABLE state (revision BIGINT NOT NULL, body TEXT NOT NULL, experiment_id TEXT);
INSERT INTO "state" VALUES(5,'{"revision":0,"active":"v3.0","unloaded":[],"loads":{},"experiment":null,"user_key":""}','shadow');
CREATE TABLE totals (
            experiment_id TEXT, variant TEXT, fallbacks BIGINT NOT NULL, failures BIGINT NOT NULL,
            slow BIGINT NOT NULL, unrecorded BIGINT NOT NULL, PRIMARY KEY (experiment_id, variant));
CREATE TABLE users (
            experiment_id TEXT, pseudonym TEXT, variant TEXT, PRIMARY KEY (experiment_id, pseudonym, variant));
INSERT INTO "users" VALUES('split','0c5d2b6bdd533772453b9a497ffef4a9','B');
INSERT INTO "users" VALUES('split','31b0385634d751019d068df260db11d2','A');
INSERT INTO "users" VALUES('split','40b36937f28a77780453161606030b3b','B');
INSERT INTO "users" VALUES('split','a21785a76d6f36175361143547ba00a6','B');
INSERT INTO "users" VALUES('split','fa657141107f9999b5b19bd593d142b0','A');
INSERT INTO "users" VALUES('crossover','31b0385634d751019d068df260db11d2','B');
INSERT INTO "users" VALUES('crossover','31b0385634d751019d068df260db11d2','A');
INSERT INTO "users" VALUES('shadow','31b0385634d751019d068df260db11d2','A');
CREATE TABLE warned (
            experiment_id TEXT, variant TEXT, code TEXT, answers BIGINT NOT NULL,
            PRIMARY KEY (experiment_id, variant, code));
INSERT INTO "warned" VALUES('split','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('split','B','OUT_OF_RANGE',3);
INSERT INTO "warned" VALUES('crossover','B','OUT_OF_RANGE',1);
INSERT INTO "warned" VALUES('crossover','A','OUT_OF_RANGE',2);
INSERT INTO "warned" VALUES('shadow','A','OUT_OF_RANGE',3);
CREATE INDEX exposures_by_time ON exposures (experiment_id, answered_at, prediction_id);
COMMIT;
