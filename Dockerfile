# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin evenkeel \
    && install -D target/release/evenkeel /out/evenkeel

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="evenkeel" \
      org.opencontainers.image.description="Clusters sensor streams and keeps the clusters even" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

# Paths in a pipeline file are relative to the working directory: what a run writes is under /var/lib/evenkeel/runs.
WORKDIR /var/lib/evenkeel
RUN useradd --system --uid 10001 --home-dir /var/lib/evenkeel evenkeel \
    && install -d -o evenkeel -g evenkeel runs
COPY --from=build /out/evenkeel /usr/local/bin/evenkeel
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/evenkeel/
COPY pipelines pipelines
COPY schemas schemas
COPY examples/data/watch.parquet examples/data/watch.parquet

USER evenkeel
VOLUME /var/lib/evenkeel/runs
EXPOSE 9464

# Healthy once input and output are connected and nothing is being restored. The image has no HTTP client; bash speaks enough.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]

# SIGTERM drains, checkpoints and exits 0.
STOPSIGNAL SIGTERM
ENTRYPOINT ["evenkeel"]
CMD ["run", "pipelines/quickstart.toml", "--set", "serve.listen=0.0.0.0:9464"]
