"""The Open Inference Protocol, version 2, without a transport: REST and gRPC read and write the same objects.

A transport goes three steps:

1. Read. It makes a `tensors.GivenTensor` of each input, in the order of the request, whose data are the bytes that came
   (row-major, little-endian) or a flat sequence of elements. `inference.Inference.of` turns them, with the parameters
   and the outputs that were asked for, into an `Inference`. Parameters are an `InferParameters` of
   `server.api.schemas.open_inference`; `inference.parameters_of` makes one from a dictionary of scalars.
2. Ask. `server.worker.open_inference.infer.InferenceService.infer` answers an `Inference`: one question for each item
   of the batch (`questions.Questions`), by the same batcher, predictor, limits and records as /reversal/predict, or for
   several items as /reversal/predict/batch.
3. Write. `answers.answer` makes an `InferenceAnswer` of the results: the version that answered, the id of the request,
   scalar parameters, and the output tensors, each as a list of elements and, by `OutputTensor.raw`, as bytes.

Every error is a `ServiceError` of `core.errors`; its place is the name of the tensor, such as `candles[0][17][1]`,
`candles.shape`, `parameters.pair` or `inputs`. A transport decides by `code` which status it has: over REST,
`server.http.failure_forms` does.

`models` describes the model: metadata, configuration, and the index of the repository. `rest` is the first transport:
JSON and binary bodies, as bytes. What requests of a client have in common is read once (`inference.InferenceHead`), and
what answers have in common is encoded once (`bodies`).
"""
