"""The Open Inference Protocol over gRPC: another transport to the objects of `server.open_inference`.

Only the extra `grpc` installs the packages that these modules import, so nothing but `extra` may be imported unless
REVERSAL_GRPC_PORT is set. `port` serves. A call goes through `calls` (token, deadline, message, status, log, metrics)
to a function of `handlers`, which reads and writes its messages with `messages`.
"""
