# The newest 24.x, for security fixes. For an exact version: --build-arg NODE_VERSION=24.21.0
ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-alpine AS build
WORKDIR /build
# Copied before the source, so that the dependencies stay cached. No install scripts are needed: esbuild, swc and argon2
# have packages for each platform.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run --silent bundle -- dist /app
# Node's compile cache makes a start a quarter faster. It depends on user, path and options, so the program starts here as
# it will in the container; without settings it exits with 78 once all modules are loaded. The cache is read-only afterwards.
RUN mkdir /app/compile-cache && chown node /app/compile-cache && \
    su node -s /bin/sh -c 'NODE_COMPILE_CACHE=/app/compile-cache NODE_ENV=production node /app/dist/main.js' 2>/dev/null; \
    [ $? -eq 78 ] && ls /app/compile-cache/*-1000 >/dev/null && \
    chown -R root:root /app/compile-cache && chmod -R u=rwX,go=rX /app/compile-cache

FROM node:${NODE_VERSION}-alpine
WORKDIR /app
ENV NODE_ENV=production PORT=8080 NODE_COMPILE_CACHE=/app/compile-cache
COPY --from=build /app ./
# Other users work too, but start without the compile cache.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
# The start period is how long the app waits for its database. /health takes at most 2 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require('node:http').get({ port: process.env.PORT, path: '/health', timeout: 3000 }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1))"]
# node as process 1 handles signals itself. npm would exit with an error at SIGTERM.
CMD ["node", "dist/main.js"]
ARG VERSION=development
ARG REVISION=unknown
LABEL org.opencontainers.image.title="entries" \
      org.opencontainers.image.description="A mood-journal API whose data and schema survive every restart." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
