# The image of the server. `make image` builds it; docs/container.md describes it, decision 40 has the reasons.
# `make image` passes deploy/container/base.txt, which has the digest in a release.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils ca-certificates gcc libc6-dev libpython3.11-dev python3-pip \
        python3.11-minimal

# The root of the image: Debian's packages without what only an installed system needs. Their descriptions stay, so that
# scanners of vulnerabilities know them.
COPY deploy/container/packages.txt /build/
RUN mkdir -p /build/debian /image/var/lib/dpkg/status.d \
    && cd /build/debian \
    && apt-get download $(grep -v '^#' ../packages.txt) \
    && for each in *.deb; do \
           dpkg-deb --extract "$each" /image \
           && dpkg-deb --field "$each" > "/image/var/lib/dpkg/status.d/${each%%_*}" || exit 1; \
       done \
    && cd /image \
    && find usr/share/doc ! -name copyright ! -type d -delete \
    && rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/lib/*/gconv usr/share/gcc usr/share/gdb \
           var/lock \
    && rm -f usr/lib/python3.11/lib-dynload/_curses* usr/lib/python3.11/lib-dynload/readline.* \
           usr/lib/python3.11/lib-dynload/_dbm.* usr/lib/python3.11/lib-dynload/nis.* \
    && ln -s python3.11 usr/bin/python3 \
    && mkdir -p dev etc/ssl/certs models proc run sys tmp var/lib/reversal var/tmp \
    && chmod 1777 tmp var/tmp \
    && chown 10001:0 var/lib/reversal \
    && chmod 0770 var/lib/reversal \
    && echo 'hosts: files dns' > etc/nsswitch.conf \
    && cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
    && printf 'root:x:0:0:root:/root:/sbin/nologin\nreversal:x:10001:0:reversal:/var/lib/reversal:/sbin/nologin\n' > etc/passwd \
    && printf 'root:x:0:\n' > etc/group

# The packages of the lock. `otel` has those of the tracing too. The secrets are optional: pip's settings where PyPI has a
# mirror, and the certificate of an authority of your own.
ARG LOCK=serve
COPY requirements/${LOCK}.txt /build/requirements.txt
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.pem,target=/etc/ca.pem \
    python3.11 -m pip install --no-deps --require-hashes --only-binary :all: --no-compile --no-cache-dir \
        --disable-pip-version-check --root-user-action ignore --target /image/usr/local/lib/python3.11/dist-packages \
        --requirement /build/requirements.txt

# Without what nothing reads at run time: tests, C sources, symbols, tools that make models, and ONNX Runtime's second
# library, which is for programs in C. Symbols of the libraries in *.libs stay: strip breaks what patchelf has written.
RUN cd /image/usr/local/lib/python3.11/dist-packages \
    && find . -type d -name tests -prune -exec rm -rf {} + \
    && find . -type f -regex '.*\.\(pyi\|pyx\|pxd\|c\|h\|a\)' -delete \
    && rm -rf bin numpy/f2py onnxruntime/capi/libonnxruntime.so.* onnxruntime/datasets onnxruntime/quantization \
           onnxruntime/tools onnxruntime/transformers \
    && find . -type f -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +

# Every library must load, so that no package is missing. The bytecode is written here, because a container cannot write
# it and would compile at each start; without times in it, two builds are equal.
RUN chroot /image python3.11 -c "import ctypes, pathlib; \
        [ctypes.CDLL(str(each)) for each in pathlib.Path('/usr').rglob('*.so*') if each.is_file()]" \
    && python3.11 -m compileall -q -s /image --invalidation-mode unchecked-hash \
           /image/usr/lib/python3.11 /image/usr/local/lib

# A layer of its own, so that an upgrade downloads little. The rooms for conversion, training and the lab need TensorFlow.
WORKDIR /reversal/usr/local/lib/python3.11/dist-packages
COPY core core
COPY server server
COPY reversal reversal
COPY migration migration
COPY models/onnx models/onnx
# `make image` has built the page, and the wheel has it too. A build by hand without it would give an image without it.
RUN test -f server/dashboard/built/index.html \
    || { echo "the page at /dashboard is missing: build it first, with: make dashboard" >&2; exit 1; }
COPY LICENSE /reversal/usr/share/doc/reversal/copyright
RUN python3.11 core/native/build.py \
    && rm core/native/*.c core/native/*.h \
    && python3.11 -m compileall -q -s /reversal --invalidation-mode unchecked-hash .

FROM scratch
# `make image` adds version, revision and base: as arguments here, buildah would take those of an earlier build.
LABEL org.opencontainers.image.title="reversal" \
      org.opencontainers.image.description="Signal server: candles in; hold, long or short out" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /image /
COPY --from=build /reversal /
# The folder of the state is the working directory, but no place for code.
ENV PATH=/usr/local/bin:/usr/bin \
    PYTHONSAFEPATH=1 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REVERSAL_HOST=0.0.0.0 \
    REVERSAL_MODELS=/models
WORKDIR /var/lib/reversal
VOLUME /var/lib/reversal
EXPOSE 8000
# Any other user of group 0 works too.
USER 10001:0
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python3", "-m", "server.health_check"]
ENTRYPOINT ["python3", "-m", "server"]
