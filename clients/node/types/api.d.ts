/**
 * The server's types, made from its /openapi.json by `npm run types`. Do not edit.
 */

export interface components {
    schemas: {
        /**
         * SignIn
         * @description The token with which the page signs in.
         */
        SignIn: {
            /** @description An API token, or an admin token. */
            token: string;
        };
        /**
         * PredictRequest
         * @description Body of /reversal/predict and /predict, and one item of a batch.
         */
        PredictRequest: {
            /** @description Two currencies of three capital letters. */
            pair: string;
            /** @description Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description Candles, oldest first unless they have timestamps: objects, columns, or rows whose order `columns` states. The signal is for the last one. Required unless there are features. */
            data?: components["schemas"]["Candle"][] | components["schemas"]["CandleColumns"] | null | unknown[][];
            /** @description The names of the values in each row, if `data` has rows: open, high, low and close, and possibly volume and timestamp, in any order. Values under other names are ignored. */
            columns?: string[];
            /** @description Whether a candle's timestamp is the opening or the closing time of its period. Default: open. */
            timestamps?: ("close" | "open") | null;
            /** @description False: the features are raw indicator values, and the scaler runs. Default: true. */
            features_scaled?: boolean;
            /** @description Only with features: when the last candle of the window opened, in the forms of a timestamp. Experiments compare only predictions whose candle's time is known. */
            candle_time?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            user_id?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            userId?: string | number | null;
            /** @description Instead of candles: a window [sequence_length][num_features], its rows oldest first; or a window for each stage, which a version needs if its stages differ. */
            features?: number[][] | components["schemas"]["StageFeatures"] | null;
            /** @description Default: the user's variant if an experiment is active, else the active version. */
            version?: string | null;
        };
        /**
         * Candle
         * @description One bar: low <= open, close <= high.
         */
        Candle: {
            /** @description The first price of the period. */
            open: number;
            /** @description The highest price. */
            high: number;
            /** @description The lowest price. */
            low: number;
            /** @description The last price. */
            close: number;
            /** @description Default: 0. */
            volume?: number;
            /** @description ISO 8601 (read as UTC if it names no zone), or a number: seconds since 1970, or milliseconds if it is at least 100,000,000,000. Either all candles have one or none has. They may be unsorted, but no instant may occur twice. */
            timestamp?: string | number | null;
        };
        /**
         * CandleColumns
         * @description Candles as columns, all of one length.
         */
        CandleColumns: {
            /** @description The first prices of the periods. */
            open: number[];
            /** @description The highest prices. */
            high: number[];
            /** @description The lowest prices. */
            low: number[];
            /** @description The last prices. */
            close: number[];
            /** @description Default: 0 for all. */
            volume?: number[];
            /** @description In the forms of a candle's timestamp. Null: none has one. */
            timestamp?: (string | number | null)[] | null;
        };
        /**
         * StageFeatures
         * @description A window for each stage, each (sequence_length, num_features) of its stage.
         */
        StageFeatures: {
            /** @description Rows of the stage's features, oldest first. */
            stage1: number[][];
            /** @description Rows of the stage's features, oldest first. */
            stage2?: number[][] | null;
        };
        /**
         * BatchRequest
         * @description Body of /reversal/predict/batch.
         */
        BatchRequest: {
            /** @description Each is a request for one prediction, and has its own result. */
            items: components["schemas"]["PredictRequest"][];
        };
        /**
         * CompareRequest
         * @description Body of /reversal/compare.
         */
        CompareRequest: {
            /** @description Two currencies of three capital letters. */
            pair: string;
            /** @description Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description Candles, oldest first unless they have timestamps: objects, columns, or rows whose order `columns` states. The signal is for the last one. Required unless there are features. */
            data?: components["schemas"]["Candle"][] | components["schemas"]["CandleColumns"] | null | unknown[][];
            /** @description The names of the values in each row, if `data` has rows: open, high, low and close, and possibly volume and timestamp, in any order. Values under other names are ignored. */
            columns?: string[];
            /** @description Whether a candle's timestamp is the opening or the closing time of its period. Default: open. */
            timestamps?: ("close" | "open") | null;
            /** @description False: the features are raw indicator values, and the scaler runs. Default: true. */
            features_scaled?: boolean;
            /** @description Only with features: when the last candle of the window opened, in the forms of a timestamp. Experiments compare only predictions whose candle's time is known. */
            candle_time?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            user_id?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            userId?: string | number | null;
            /** @description Instead of candles: a window [sequence_length][num_features], its rows oldest first; or a window for each stage, which a version needs if its stages differ. */
            features?: number[][] | components["schemas"]["StageFeatures"] | {
                [key: string]: number[][] | components["schemas"]["StageFeatures"];
            } | null;
            /** @description Default: all loaded versions. */
            versions?: string[] | null;
        };
        /**
         * ExplainRequest
         * @description Body of /reversal/explain.
         */
        ExplainRequest: {
            /** @description Two currencies of three capital letters. */
            pair: string;
            /** @description Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description Candles, oldest first unless they have timestamps: objects, columns, or rows whose order `columns` states. The signal is for the last one. Required unless there are features. */
            data?: components["schemas"]["Candle"][] | components["schemas"]["CandleColumns"] | null | unknown[][];
            /** @description The names of the values in each row, if `data` has rows: open, high, low and close, and possibly volume and timestamp, in any order. Values under other names are ignored. */
            columns?: string[];
            /** @description Whether a candle's timestamp is the opening or the closing time of its period. Default: open. */
            timestamps?: ("close" | "open") | null;
            /** @description False: the features are raw indicator values, and the scaler runs. Default: true. */
            features_scaled?: boolean;
            /** @description Only with features: when the last candle of the window opened, in the forms of a timestamp. Experiments compare only predictions whose candle's time is known. */
            candle_time?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            user_id?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            userId?: string | number | null;
            /** @description Instead of candles: a window [sequence_length][num_features], its rows oldest first; or a window for each stage, which a version needs if its stages differ. */
            features?: number[][] | components["schemas"]["StageFeatures"] | null;
            /** @description Default: the user's variant if an experiment is active, else the active version. */
            version?: string | null;
            /** @description The number of windows that the answer is compared with: 1 is the reference window of the version, more are so many of its stored windows, and take as many times longer. Default: 1. */
            background?: number | null;
        };
        /**
         * CreateExperiment
         * @description Body of POST /reversal/experiments. Null stands for the default where it is allowed.
         */
        CreateExperiment: {
            /** @description A name that was never used. The assignment of users depends on it. */
            experiment_id: string;
            /** @description One line for people. */
            name: string;
            /** @description What it is to find out. */
            description?: string | null;
            /** @description The person or team to ask about it. */
            owner?: string | null;
            /** @description A version of the models folder. */
            variant_a: string;
            /** @description Another version of the models folder. */
            variant_b: string;
            /** @description A's share of the users. Required in split mode; 0.5 by default in crossover mode; left out in shadow mode. */
            traffic_split?: number | null;
            /** @description How the variants are compared: split and crossover assign users, shadow asks both versions. Default: split. */
            mode?: ("crossover" | "shadow" | "split") | null;
            /** @description What the verdict is about. Default: win_rate. */
            metric?: ("mean_pnl" | "win_rate") | null;
            /** @description The smallest difference of interest. Default: 0.02 of win rate, 0.5 pips of mean P&L. */
            minimum_effect?: number | null;
            /** @description Limits that stop the experiment. Default: none. */
            guardrails?: components["schemas"]["GuardrailLimits"] | null;
            /** @description When it is stopped, in the future, in the forms of a candle's timestamp. Default: never. */
            stop_at?: string | number | null;
        };
        /**
         * GuardrailLimits
         * @description The guardrails of a request. Unknown fields are refused, because a misspelt limit would protect nothing.
         */
        GuardrailLimits: {
            /** @description The largest share of failures and refusals among a variant's requests. */
            max_error_rate?: number | null;
            /** @description The largest share of fallbacks among a variant's requests. */
            max_fallback_rate?: number | null;
            /** @description The most milliseconds within the service of 99 % of a variant's answers. */
            max_p99_ms?: number | null;
            /** @description The smallest share of candles on which every answer is hold. */
            min_hold_rate?: number | null;
            /** @description The largest share of candles on which every answer is hold. */
            max_hold_rate?: number | null;
            /** @description The smallest win rate. */
            min_win_rate?: number | null;
            /** @description The smallest mean of reported pips. */
            min_mean_pnl?: number | null;
        };
        /**
         * PlanExperiment
         * @description Body of POST /reversal/experiments/plan. Null stands for the default where it is allowed.
         */
        PlanExperiment: {
            /**
             * @description How the variants are compared: split and crossover assign users, shadow asks both versions.
             * @enum {unknown}
             */
            mode: "crossover" | "shadow" | "split";
            /** @description What the verdict is about. Default: win_rate. */
            metric?: ("mean_pnl" | "win_rate") | null;
            /** @description Today's win rate, such as 0.5; for mean_pnl today's mean in pips. */
            baseline: number;
            /** @description The difference B - A to be seen, in the unit of baseline. Its sign does not matter. */
            effect: number;
            /** @description The standard deviation of a trade's pips. Required for mean_pnl. */
            sd_pips?: number | null;
            /** @description Of the candles. Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description How many pairs. Default: 1. */
            pairs?: number | null;
            /** @description Of all users and pairs together. */
            predictions_per_day: number;
            /** @description The share of predictions that are trades. Default: 0.5. */
            trade_share?: number | null;
            /** @description The share of predictions that are no trades; instead of trade_share. */
            hold_rate?: number | null;
            /** @description How many users. Required for split and crossover. */
            users?: number | null;
            /** @description A's share of the users. Default: 0.5. */
            traffic_split?: number | null;
            /** @description The standard deviation of the users' own win rates, or pips. Default: 0. */
            user_sd?: number | null;
            /** @description For shadow: the share of candles on which the signals differ. Default: 0.6 x trade_share. */
            disagreement?: number | null;
            /** @description Between the results of two trades of one variant at one time. Default: 0.5. */
            correlation?: number | null;
            /** @description How many neighbouring candles count as one. Default: 1. */
            overlap?: number | null;
            /** @description How long to wait: the chance is then told. */
            days?: number | null;
        };
        /**
         * Evaluate
         * @description Body of POST /reversal/experiments/{id}/evaluate: candles with timestamps, and the rule's parameters.
         */
        Evaluate: {
            /** @description Two currencies of three capital letters. */
            pair: string;
            /** @description Of the candles. Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description Whether a candle's timestamp is the opening or the closing time of its period. Default: open. */
            timestamps?: ("close" | "open") | null;
            /** @description Candles with timestamps, from before the predictions until after their trades. */
            data: components["schemas"]["Candle"][] | components["schemas"]["CandleColumns"] | unknown[][];
            /** @description The names of the values in each row, if `data` has rows: open, high, low and close, and possibly volume and timestamp, in any order. Values under other names are ignored. */
            columns?: string[];
            /** @description profitable_reversals: only trades against the last move; profitable_trades: both directions. */
            rule?: ("profitable_reversals" | "profitable_trades") | null;
            /** @description The candles that a trade may take, and over which the move before it is measured. */
            horizon?: number | null;
            /** @description The best excursion within the horizon must reach it. */
            min_profit_pips?: number | null;
            /** @description The worst excursion within the horizon must not exceed it. */
            max_loss_pips?: number | null;
            /** @description As min_profit_pips, in multiples of the candle's atr_14. */
            min_profit_atr?: number | null;
            /** @description As max_loss_pips, in multiples of the candle's atr_14. */
            max_loss_atr?: number | null;
            /** @description The best excursion must be at least so many times the worst. */
            min_ratio?: number | null;
            /** @description Whether this rule may replace another one, which needs an admin token. Default: false. */
            replace?: boolean | null;
        };
        /**
         * AddNote
         * @description Body of POST /reversal/experiments/{id}/notes.
         */
        AddNote: {
            /** @description The note, for people. */
            text: string;
        };
        /**
         * ReportOutcomes
         * @description Body of POST /reversal/outcomes.
         */
        ReportOutcomes: {
            /** @description Each has its own result. */
            outcomes: components["schemas"]["ReportedOutcome"][];
        };
        /**
         * InferBody
         * @description Body of /v2/models/{model}/infer, or the part of it before binary data.
         */
        InferBody: {
            /** @description Candles with or without timestamps, or windows of one kind. */
            inputs: components["schemas"]["InferInput"][];
            /** @description Default: all outputs. */
            outputs?: components["schemas"]["InferOutput"][] | null;
            /** @description Any text, which the answer repeats. */
            id?: string | null;
            /** @description What is no tensor. Unknown parameters are ignored. */
            parameters?: components["schemas"]["InferParameters"] | null;
        };
        /**
         * InferInput
         * @description One input tensor: /v2/models/reversal lists their names, datatypes and shapes.
         */
        InferInput: {
            /** @description One of the inputs of the metadata, such as candles. */
            name: string;
            /** @description The batch first, such as [1, 120, 5] for 120 candles. */
            shape: number[];
            /** @description FP32, FP64 or INT64, as the metadata say for this input. */
            datatype: string;
            /** @description For binary data. */
            parameters?: components["schemas"]["InputParameters"] | null;
            /** @description The elements in row-major order, flat or nested as the shape says. */
            data?: unknown[];
        };
        /**
         * InputParameters
         * @description Parameters of an input tensor.
         */
        InputParameters: {
            /** @description The bytes of this tensor behind the JSON object, in place of `data`. */
            binary_data_size?: number;
            /** @description Not supported; a request with it is refused. */
            shared_memory_region?: unknown;
        };
        /**
         * InferOutput
         * @description One requested output.
         */
        InferOutput: {
            /** @description stage1_prob, stage2_prob, signal or confidence. */
            name: string;
            /** @description For binary data. */
            parameters?: components["schemas"]["OutputParameters"] | null;
        };
        /**
         * OutputParameters
         * @description Parameters of a requested output.
         */
        OutputParameters: {
            /** @description Overrides `binary_data_output` for this output. */
            binary_data?: boolean | null;
            /** @description Not supported; a request with it is refused. */
            classification?: unknown;
            /** @description Not supported; a request with it is refused. */
            shared_memory_region?: unknown;
        };
        /**
         * InferParameters
         * @description Parameters of a request for inference.
         */
        InferParameters: {
            /** @description Two currencies of three capital letters. Default: XXX/XXX. */
            pair?: string;
            /** @description Default: 1h. */
            timeframe?: ("15min" | "1M" | "1d" | "1h" | "1min" | "1w" | "30min" | "4h" | "5min") | null;
            /** @description Whether the tensor `timestamps` has the opening or the closing times of candles. Default: open. */
            timestamps?: ("close" | "open") | null;
            /** @description Only with features: when the last candle of the window opened, as in /reversal/predict. */
            candle_time?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            user_id?: string | number | null;
            /** @description The user whose variant of a running experiment answers; null or an empty text: none. An integer means its decimal form. userId is another spelling of user_id. */
            userId?: string | number | null;
            /** @description Microseconds that the client waits. Work that has not begun by then is not done. 0: the server's default. */
            timeout?: number;
            /** @description Whether all outputs are answered as binary data. Default: false. */
            binary_data_output?: boolean;
        };
        /**
         * RepositoryIndex
         * @description Body of /v2/repository/index, which may also be empty.
         */
        RepositoryIndex: {
            /** @description Whether to list only versions that can answer. Default: false. */
            ready?: boolean;
        };
        /**
         * RepositoryChange
         * @description Body of /v2/repository/models/{model}/load and unload, which may also be empty.
         */
        RepositoryChange: {
            /** @description Which version is meant. Default: a load is of all versions. */
            parameters?: components["schemas"]["RepositoryParameters"] | null;
        };
        /**
         * RepositoryParameters
         * @description Parameters of loading and unloading.
         */
        RepositoryParameters: {
            /** @description The version to load or to unload. */
            version?: string | null;
            /** @description Not supported; a request with it is refused. */
            config?: unknown;
        };
        /**
         * ReportedOutcome
         * @description The outcome of a prediction. `closed_at` has the forms of a candle's timestamp.
         */
        ReportedOutcome: {
            /** @description That of the prediction's answer. */
            prediction_id: string;
            /**
             * @description How the trade ended.
             * @enum {unknown}
             */
            outcome: "loss" | "neutral" | "win";
            /** @description What the trade gained, in pips; negative for a loss. */
            pnl_pips?: number | null;
            /** @description When the trade was closed, in the forms of a candle's timestamp. */
            closed_at?: string | number | null;
        };
        Failure: {
            /** @constant */
            success: false;
            data: null;
            error: string;
            /** @enum {unknown} */
            code: "CONFLICT" | "DEADLINE_EXCEEDED" | "EXPECTATION_FAILED" | "FORBIDDEN" | "HTTP_VERSION_NOT_SUPPORTED" | "INSUFFICIENT_DATA" | "INTERNAL" | "MALFORMED_JSON" | "MALFORMED_REQUEST" | "METHOD_NOT_ALLOWED" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "OUT_OF_RANGE" | "OVERLOADED" | "PAYLOAD_TOO_LARGE" | "RATE_LIMITED" | "STORE_UNAVAILABLE" | "UNAUTHORIZED" | "UNKNOWN_EXPERIMENT" | "UNKNOWN_VERSION" | "UNSUPPORTED_MEDIA_TYPE" | "VALIDATION_ERROR";
            /** Format: date-time */
            timestamp: string;
            details?: components["schemas"]["Detail"][];
        };
        Detail: {
            path: string;
            message: string;
        };
        Warning: {
            /** @enum {unknown} */
            code: "FEW_CANDLES" | "NO_STAGE2" | "NO_TIMESTAMPS" | "MIXED_TIME_ZONES" | "SPACING" | "OPEN_CANDLE" | "FUTURE_CANDLE" | "OUT_OF_RANGE" | "NO_PREDICTIONS" | "OTHER_TIMEFRAME" | "DIFFERENT_REQUIRED_CANDLES" | "DIFFERENT_INPUTS";
            message: string;
        };
        /** @enum {unknown} */
        Signal: "hold" | "long" | "short";
        SignalCounts: {
            hold: number;
            long: number;
            short: number;
        };
        /** @enum {unknown} */
        Timeframe: "1min" | "5min" | "15min" | "30min" | "1h" | "4h" | "1d" | "1w" | "1M";
        Assignment: {
            experiment_id: string;
            /** @enum {unknown} */
            variant: "A" | "B";
        };
        Prediction: {
            pair: string;
            timeframe: components["schemas"]["Timeframe"];
            signal: components["schemas"]["Signal"];
            confidence: number;
            stage1_prob: number;
            stage2_prob: number | null;
            model_version: string;
            factors: {
                reversal_detected: boolean;
                /** @enum {unknown} */
                direction: "long" | "short" | null;
                technical: number;
                pattern: number | null;
            };
            /** Format: date-time */
            timestamp: string;
            /** Format: date-time */
            candle_time?: string;
            valid_until?: string | null;
            warnings?: components["schemas"]["Warning"][];
            served_by?: string;
            fallback_reason?: string;
            experiment?: components["schemas"]["Assignment"];
            prediction_id?: string;
        };
        ExplainedPrediction: {
            pair: string;
            timeframe: components["schemas"]["Timeframe"];
            signal: components["schemas"]["Signal"];
            confidence: number;
            stage1_prob: number;
            stage2_prob: number | null;
            model_version: string;
            factors: {
                reversal_detected: boolean;
                /** @enum {unknown} */
                direction: "long" | "short" | null;
                technical: number;
                pattern: number | null;
            };
            /** Format: date-time */
            timestamp: string;
            explanation: components["schemas"]["Explanation"];
            /** Format: date-time */
            candle_time?: string;
            valid_until?: string | null;
            warnings?: components["schemas"]["Warning"][];
        };
        Explanation: {
            background: number;
            stage1: {
                /** @enum {unknown} */
                probability_of: "reversal";
                used: boolean;
                base_value: number;
                value: number;
                features: {
                    [key: string]: number;
                };
                /** @enum {unknown} */
                method: "exact" | "sampling";
                standard_errors: {
                    [key: string]: number;
                } | null;
            };
            stage2: {
                /** @enum {unknown} */
                probability_of: "long" | "short";
                used: boolean;
                base_value: number;
                value: number;
                features: {
                    [key: string]: number;
                };
                /** @enum {unknown} */
                method: "exact" | "sampling";
                standard_errors: {
                    [key: string]: number;
                } | null;
            } | null;
        };
        LegacyPrediction: {
            prediction: components["schemas"]["Signal"];
            signal: components["schemas"]["Signal"];
            confidence: number;
            factors: {
                technical: number;
                sentiment: number;
                pattern: number;
            };
            model_version: string;
            /** Format: date-time */
            timestamp: string;
            /** Format: date-time */
            candle_time?: string;
            valid_until?: string | null;
            warnings?: components["schemas"]["Warning"][];
            served_by?: string;
            fallback_reason?: string;
            experiment?: components["schemas"]["Assignment"];
            prediction_id?: string;
        };
        BatchResults: {
            results: ({
                /** @constant */
                success: true;
                data: components["schemas"]["Prediction"];
                error: null;
            } | {
                /** @constant */
                success: false;
                data: null;
                error: string;
                /** @enum {unknown} */
                code: "CONFLICT" | "DEADLINE_EXCEEDED" | "EXPECTATION_FAILED" | "FORBIDDEN" | "HTTP_VERSION_NOT_SUPPORTED" | "INSUFFICIENT_DATA" | "INTERNAL" | "MALFORMED_JSON" | "MALFORMED_REQUEST" | "METHOD_NOT_ALLOWED" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "OUT_OF_RANGE" | "OVERLOADED" | "PAYLOAD_TOO_LARGE" | "RATE_LIMITED" | "STORE_UNAVAILABLE" | "UNAUTHORIZED" | "UNKNOWN_EXPERIMENT" | "UNKNOWN_VERSION" | "UNSUPPORTED_MEDIA_TYPE" | "VALIDATION_ERROR";
                details?: components["schemas"]["Detail"][];
            })[];
        };
        Comparison: {
            pair: string;
            timeframe: components["schemas"]["Timeframe"];
            predictions: {
                [key: string]: components["schemas"]["Prediction"] | {
                    error: string;
                    /** @enum {unknown} */
                    code: "CONFLICT" | "DEADLINE_EXCEEDED" | "EXPECTATION_FAILED" | "FORBIDDEN" | "HTTP_VERSION_NOT_SUPPORTED" | "INSUFFICIENT_DATA" | "INTERNAL" | "MALFORMED_JSON" | "MALFORMED_REQUEST" | "METHOD_NOT_ALLOWED" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "OUT_OF_RANGE" | "OVERLOADED" | "PAYLOAD_TOO_LARGE" | "RATE_LIMITED" | "STORE_UNAVAILABLE" | "UNAUTHORIZED" | "UNKNOWN_EXPERIMENT" | "UNKNOWN_VERSION" | "UNSUPPORTED_MEDIA_TYPE" | "VALIDATION_ERROR";
                };
            };
            consensus: components["schemas"]["Signal"] | null;
            disagreement: boolean;
            /** Format: date-time */
            timestamp: string;
        };
        Stage: {
            positive: ("reversal" | "long" | "short") | null;
            features: string[];
            num_features: number;
            sequence_length: number;
            parameters: number;
            files: {
                [key: string]: {
                    file: string;
                    sha256: string;
                };
            };
            sources: {
                [key: string]: {
                    file: string;
                    sha256: string;
                };
            };
            parity: {
                [key: string]: unknown;
            };
            limits: {
                low: number[];
                high: number[];
                mean_low: number[] | null;
                mean_high: number[] | null;
                /** @enum {unknown} */
                source: "training" | "scaler";
            } | null;
            training_ranges: number[][] | null;
            background: number;
        };
        Model: {
            version: string;
            loaded: boolean;
            digest: string | null;
            replicas: {
                name: string;
                digest: string | null;
                loaded: boolean;
                error: string | null;
            }[];
            name?: string;
            description?: string;
            threshold?: number;
            confidence_weights?: number[];
            has_stage2?: boolean;
            num_features?: number;
            sequence_length?: number;
            /** @enum {unknown} */
            inputs?: "candles" | "features";
            classes?: ("hold" | "long" | "short")[] | null;
            required_candles?: number | null;
            recommended_candles?: number | null;
            requires_timestamps?: boolean;
            stages?: {
                stage1: components["schemas"]["Stage"];
                stage2?: components["schemas"]["Stage"];
            };
            label_rule?: unknown;
            metrics?: {
                [key: string]: unknown;
            };
            metadata?: {
                [key: string]: unknown;
            };
            error?: string;
        };
        Models: {
            active_version: string | null;
            versions: {
                [key: string]: components["schemas"]["Model"];
            };
        };
        Loaded: {
            version: string;
            loaded: boolean;
        };
        Switched: {
            active_version: string;
            previous_version: string | null;
        };
        Health: {
            /** @enum {unknown} */
            status: "healthy" | "unhealthy";
            model_loaded: boolean;
            model_version: string | null;
            /** Format: date-time */
            timestamp: string;
            environment: string;
            version: string;
        };
        Probe: {
            /** @enum {unknown} */
            status: "alive" | "ready" | "unavailable";
            reason?: string;
        };
        /** @enum {unknown} */
        Mode: "split" | "crossover" | "shadow";
        /** @enum {unknown} */
        Metric: "win_rate" | "mean_pnl";
        /** @enum {unknown} */
        Status: "draft" | "active" | "stopped";
        LabelRule: {
            horizon: number;
            min_ratio: number;
            min_profit_pips?: number;
            max_loss_pips?: number;
            min_profit_atr?: number;
            max_loss_atr?: number;
            /** @enum {unknown} */
            rule?: "profitable_reversals" | "profitable_trades";
        };
        ChosenRule: {
            rule: components["schemas"]["LabelRule"];
            timeframe: string;
            /** Format: date-time */
            chosen_at: string;
            chosen_by: string | null;
        };
        Experiment: {
            experiment_id: string;
            name: string;
            description: string;
            owner: string;
            mode: components["schemas"]["Mode"];
            variant_a: string;
            variant_b: string;
            traffic_split: number;
            metric: components["schemas"]["Metric"];
            minimum_effect: number;
            guardrails: components["schemas"]["GuardrailLimits"];
            stop_at: string | null;
            status: components["schemas"]["Status"];
            active: boolean;
            /** Format: date-time */
            created_at: string;
            activated_at: string | null;
            stopped_at: string | null;
            stop_reason: string | null;
            digests: {
                A?: string;
                B?: string;
            } | null;
            label_rule: components["schemas"]["LabelRule"] | null;
            label_rules: components["schemas"]["ChosenRule"][];
        };
        ActivatedExperiment: {
            experiment_id: string;
            name: string;
            description: string;
            owner: string;
            mode: components["schemas"]["Mode"];
            variant_a: string;
            variant_b: string;
            traffic_split: number;
            metric: components["schemas"]["Metric"];
            minimum_effect: number;
            guardrails: components["schemas"]["GuardrailLimits"];
            stop_at: string | null;
            status: components["schemas"]["Status"];
            active: boolean;
            /** Format: date-time */
            created_at: string;
            activated_at: string | null;
            stopped_at: string | null;
            stop_reason: string | null;
            digests: {
                A?: string;
                B?: string;
            } | null;
            label_rule: components["schemas"]["LabelRule"] | null;
            label_rules: components["schemas"]["ChosenRule"][];
            stopped_experiment: string | null;
            warnings?: components["schemas"]["Warning"][];
        };
        Note: {
            /** Format: date-time */
            at: string;
            text: string;
        };
        AddedNote: {
            experiment_id: string;
            /** Format: date-time */
            at: string;
            text: string;
        };
        ExperimentWithNotes: {
            experiment_id: string;
            name: string;
            description: string;
            owner: string;
            mode: components["schemas"]["Mode"];
            variant_a: string;
            variant_b: string;
            traffic_split: number;
            metric: components["schemas"]["Metric"];
            minimum_effect: number;
            guardrails: components["schemas"]["GuardrailLimits"];
            stop_at: string | null;
            status: components["schemas"]["Status"];
            active: boolean;
            /** Format: date-time */
            created_at: string;
            activated_at: string | null;
            stopped_at: string | null;
            stop_reason: string | null;
            digests: {
                A?: string;
                B?: string;
            } | null;
            label_rule: components["schemas"]["LabelRule"] | null;
            label_rules: components["schemas"]["ChosenRule"][];
            notes: components["schemas"]["Note"][];
        };
        Experiments: {
            experiments: components["schemas"]["Experiment"][];
        };
        ExperimentMetrics: {
            experiment_id: string;
            name: string;
            active: boolean;
            mode: components["schemas"]["Mode"];
            status: components["schemas"]["Status"];
            variants: {
                A: {
                    model_version: string;
                    traffic_split: number;
                    metrics: {
                        count: number;
                        signals: components["schemas"]["SignalCounts"];
                        avg_confidence: number | null;
                        imported: number;
                        users: number;
                        fallbacks: number;
                        failures: number;
                        refused: number;
                        unrecorded: number;
                        late: number;
                    };
                };
                B: {
                    model_version: string;
                    traffic_split: number;
                    metrics: {
                        count: number;
                        signals: components["schemas"]["SignalCounts"];
                        avg_confidence: number | null;
                        imported: number;
                        users: number;
                        fallbacks: number;
                        failures: number;
                        refused: number;
                        unrecorded: number;
                        late: number;
                    };
                };
            };
            beside: components["schemas"]["Beside"];
        };
        Beside: {
            without_user: number;
            named_version: number;
        };
        Evaluation: {
            candles: number;
            labelled: number;
            changed: number;
            unchanged: number;
            too_close: number;
            dropped: number;
            label_rule: components["schemas"]["LabelRule"];
            warnings?: components["schemas"]["Warning"][];
        };
        OutcomeResults: {
            recorded: number;
            results: ({
                prediction_id: string;
                /** @enum {unknown} */
                status: "recorded" | "late" | "completed" | "duplicate" | "contradicts" | "not_a_trade" | "unknown";
            } | {
                prediction_id: string | null;
                /** @constant */
                status: "invalid";
                error: string;
                details?: components["schemas"]["Detail"][];
            })[];
        };
        Plan: {
            mode: components["schemas"]["Mode"];
            metric: components["schemas"]["Metric"];
            baseline: number;
            effect: number;
            reachable: {
                chance: number;
                candles: number | null;
                days: number | null;
            }[];
            after_days: {
                days: number;
                candles: number;
                chance: number;
            } | null;
            minimum: {
                candles: number | null;
                days: number | null;
                candles_of_each_variant: number;
                users_of_each_variant: number | null;
            };
            users: {
                A: number;
                B: number;
            } | null;
            advice: {
                /** @enum {unknown} */
                code: "FEW_USERS" | "USERS_DIFFER" | "TOO_SMALL" | "MINIMUM_EFFECT";
                message: string;
            }[];
            assumptions: string[];
        };
        Estimate: {
            estimate: number | null;
            interval: number[] | null;
            candles: number;
            valid: boolean;
        };
        SourcedEstimate: {
            estimate: number | null;
            interval: number[] | null;
            candles: number;
            valid: boolean;
            source: ("reported" | "labels") | null;
        };
        Difference: {
            estimate: number | null;
            interval: number[] | null;
            candles: number;
            valid: boolean;
            p_value: number | null;
        };
        SourcedDifference: {
            estimate: number | null;
            interval: number[] | null;
            candles: number;
            valid: boolean;
            p_value: number | null;
            source: ("reported" | "labels") | null;
        };
        ReportedVariant: {
            model_version: string;
            predictions: number;
            unique_users: number;
            unique_candles: number;
            signals: components["schemas"]["SignalCounts"];
            hold_rate: components["schemas"]["Estimate"];
            confidence: {
                estimate: number | null;
                interval: number[] | null;
                candles: number;
                valid: boolean;
                sd: number | null;
            };
            outcomes_joined: number;
            labelled_candles: number;
            win_rate: components["schemas"]["SourcedEstimate"];
            precision: components["schemas"]["Estimate"];
            recall: components["schemas"]["Estimate"];
            mean_pnl: components["schemas"]["SourcedEstimate"];
            pnl_per_candle: components["schemas"]["SourcedEstimate"];
            /** @description Not used for the verdict. */
            sharpe: components["schemas"]["Estimate"];
            fallbacks: number;
            failures: number;
            refused: number;
            unrecorded: number;
            late: number;
            warnings: {
                [key: string]: {
                    predictions: number;
                    share: number | null;
                };
            };
            imported: {
                count: number;
                signals: {
                    [key: string]: number;
                };
                avg_confidence: number | null;
            } | null;
        };
        SampleRatio: {
            users: {
                A: number;
                B: number;
            };
            expected: {
                A: number;
                B: number;
            };
            users_in_both: number;
            /** @description Not used for the verdict. */
            chi_square: number | null;
            /** @description Not used for the verdict. */
            chi_square_p: number | null;
            sequential_p: number;
            level: number;
            mismatch: boolean;
        };
        Reporting: {
            A: components["schemas"]["Estimate"];
            B: components["schemas"]["Estimate"];
            p_value: number;
            level: number;
            valid: boolean;
            differs: boolean;
        };
        Pairs: {
            candles: number;
            table: {
                hold: components["schemas"]["SignalCounts"];
                long: components["schemas"]["SignalCounts"];
                short: components["schemas"]["SignalCounts"];
            };
            agreement: components["schemas"]["Estimate"];
            confidence_difference: components["schemas"]["Difference"];
            /** @description Not used for the verdict. */
            mcnemar: {
                candles: number;
                a_only_right: number;
                b_only_right: number;
                exact_p: number;
                sequential_p: number;
            };
            /** @description Only with include=disagreements. */
            disagreements?: {
                pair: string;
                timeframe: string;
                candle: string;
                candle_time: string | null;
                a_signal: components["schemas"]["Signal"];
                b_signal: components["schemas"]["Signal"];
            }[];
        };
        Breakdown: {
            /** @constant */
            exploratory: true;
            metric: components["schemas"]["Metric"];
            total: number;
            places: {
                pair: string;
                timeframe: string;
                candles: number;
                A: components["schemas"]["Estimate"];
                B: components["schemas"]["Estimate"];
                difference: components["schemas"]["Difference"];
            }[];
        };
        History: {
            /** Format: date-time */
            at: string;
            estimate: number | null;
            interval: number[] | null;
            candles: number;
            valid: boolean;
            word: string;
        }[];
        Report: {
            experiment_id: string;
            name: string;
            description: string;
            owner: string;
            mode: components["schemas"]["Mode"];
            variant_a: string;
            variant_b: string;
            traffic_split: number;
            metric: components["schemas"]["Metric"];
            minimum_effect: number;
            guardrails: components["schemas"]["GuardrailLimits"];
            stop_at: string | null;
            status: components["schemas"]["Status"];
            active: boolean;
            /** Format: date-time */
            created_at: string;
            activated_at: string | null;
            stopped_at: string | null;
            stop_reason: string | null;
            digests: {
                A?: string;
                B?: string;
            } | null;
            label_rule: components["schemas"]["LabelRule"] | null;
            label_rules: components["schemas"]["ChosenRule"][];
            variants: {
                A: components["schemas"]["ReportedVariant"];
                B: components["schemas"]["ReportedVariant"];
            };
            beside: components["schemas"]["Beside"];
            breakdown: components["schemas"]["Breakdown"];
            history: components["schemas"]["History"];
            sample_ratio: components["schemas"]["SampleRatio"] | null;
            reporting: components["schemas"]["Reporting"] | null;
            pairs: components["schemas"]["Pairs"] | null;
            differences: {
                win_rate: components["schemas"]["SourcedDifference"];
                mean_pnl: components["schemas"]["SourcedDifference"];
                pnl_per_candle: components["schemas"]["SourcedDifference"];
                hold_rate: components["schemas"]["Difference"];
                confidence: components["schemas"]["Difference"];
            };
            verdict: {
                word: string;
                sentence: string;
                more_candles: number | null;
                days_left: number | null;
            };
            notes: components["schemas"]["Note"][];
        };
        InferenceFailure: {
            error: string;
            /** @enum {unknown} */
            code: "CONFLICT" | "DEADLINE_EXCEEDED" | "EXPECTATION_FAILED" | "FORBIDDEN" | "HTTP_VERSION_NOT_SUPPORTED" | "INSUFFICIENT_DATA" | "INTERNAL" | "MALFORMED_JSON" | "MALFORMED_REQUEST" | "METHOD_NOT_ALLOWED" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "OUT_OF_RANGE" | "OVERLOADED" | "PAYLOAD_TOO_LARGE" | "RATE_LIMITED" | "STORE_UNAVAILABLE" | "UNAUTHORIZED" | "UNKNOWN_EXPERIMENT" | "UNKNOWN_VERSION" | "UNSUPPORTED_MEDIA_TYPE" | "VALIDATION_ERROR";
        };
        InferenceServer: {
            name: string;
            version: string;
            extensions: string[];
        };
        InferenceLive: {
            live: boolean;
        };
        InferenceReady: {
            ready: boolean;
        };
        InferenceModelReady: {
            /** @constant */
            name: "reversal";
            ready: boolean;
        };
        TensorMetadata: {
            name: string;
            /** @enum {unknown} */
            datatype: "FP32" | "FP64" | "INT64" | "BYTES";
            shape: number[];
        };
        InferenceModel: {
            /** @constant */
            name: "reversal";
            versions: string[];
            platform: string;
            inputs: components["schemas"]["TensorMetadata"][];
            outputs: components["schemas"]["TensorMetadata"][];
        };
        InferenceModelConfiguration: {
            [key: string]: unknown;
        };
        InferenceStatistics: {
            model_stats: {
                /** @constant */
                name: "reversal";
                version: string;
                last_inference: number;
                inference_count: number;
                execution_count: number;
                inference_stats: {
                    success: {
                        count: number;
                        ns: number;
                    };
                    fail: {
                        count: number;
                        ns: number;
                    };
                    queue: {
                        count: number;
                        ns: number;
                    };
                    compute_input: {
                        count: number;
                        ns: number;
                    };
                    compute_infer: {
                        count: number;
                        ns: number;
                    };
                    compute_output: {
                        count: number;
                        ns: number;
                    };
                    cache_hit: {
                        count: number;
                        ns: number;
                    };
                    cache_miss: {
                        count: number;
                        ns: number;
                    };
                };
                batch_stats: string[];
            }[];
        };
        InferenceIndex: {
            /** @constant */
            name: "reversal";
            version: string;
            /** @enum {unknown} */
            state: "READY" | "UNAVAILABLE";
            reason: string;
        }[];
        LoadedVersions: {
            versions: string[];
            loaded: boolean;
        };
        InferenceAnswer: {
            /** @constant */
            model_name: "reversal";
            model_version: string;
            outputs: {
                /** @enum {unknown} */
                name: "stage1_prob" | "stage2_prob" | "signal" | "confidence";
                /** @enum {unknown} */
                datatype: "FP32" | "FP64" | "INT64" | "BYTES";
                shape: number[];
                data?: (number | string)[];
                parameters?: {
                    [key: string]: string | number | boolean;
                };
            }[];
            id?: string;
            parameters?: {
                [key: string]: string | number | boolean;
            };
        };
        Session: {
            guarded: boolean;
            signed_in: boolean;
            name: string | null;
            /** @enum {unknown} */
            level: "api" | "admin" | null;
            csrf: string | null;
            windows_kept: boolean;
        };
        ShownSignal: {
            pair: string;
            timeframe: components["schemas"]["Timeframe"];
            /** Format: date-time */
            at: string;
            signal: components["schemas"]["Signal"];
            confidence: number;
            stage1_prob: number;
            stage2_prob: number | null;
            threshold: number;
            version: string;
            latency_ms: number;
            warnings: string[];
            fallback_reason: string | null;
            experiment: components["schemas"]["Assignment"] | null;
            prediction_id: string | null;
            candle_time: string | null;
            worker: number;
        };
        KeptWindow: {
            kept: boolean;
            window: {
                pair: string;
                timeframe: components["schemas"]["Timeframe"];
                /** Format: date-time */
                at: string;
                data: {
                    open: number;
                    high: number;
                    low: number;
                    close: number;
                    volume: number;
                    /** Format: date-time */
                    timestamp?: string;
                }[];
                signal: components["schemas"]["ShownSignal"];
            } | null;
            places: {
                pair: string;
                timeframe: components["schemas"]["Timeframe"];
                /** Format: date-time */
                at: string;
            }[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
