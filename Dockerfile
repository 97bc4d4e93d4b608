# Stage 1: one file with everything in it.
FROM node:20-slim AS build
WORKDIR /src
COPY deno.json deno.lock config.yaml ./
COPY src ./src
COPY plugins ./plugins
RUN npx -y deno@2.9.6 task compile

# Stage 2: that file, and nobody's rights.
FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home outcrop
WORKDIR /data
COPY --from=build /src/outcrop /usr/local/bin/outcrop
COPY --from=build --chown=outcrop:outcrop /src/config.yaml /data/config.yaml
USER outcrop
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD \
  ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8000 && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3"]
ENTRYPOINT ["/usr/local/bin/outcrop"]
CMD ["serve", "--host", "0.0.0.0"]
