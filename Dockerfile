FROM node:24-alpine AS base
WORKDIR /app

# Both stages install before they see a source, so that a change of the sources leaves that cached. Install
# scripts are not run: the one among the production packages is telemetry, and argon2's binary for this platform
# is a package of its own.
FROM base AS dependencies
COPY package.json package-lock.json .npmrc ./
# TypeScript is an optional peer of @nestjs/swagger, for a plugin not used here: npm takes it for production.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -r node_modules/typescript node_modules/.bin

FROM base AS build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build && rm -f dist/.tsbuildinfo

FROM base
LABEL org.opencontainers.image.title="entries" \
      org.opencontainers.image.description="A mood-journal API whose data and schema survive every restart."
ENV NODE_ENV=production PORT=8080
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Node learns here that dist/ holds ES modules.
COPY package.json ./
USER node
EXPOSE 8080
# The start period is as long as the service waits for its database. Nothing in /health takes more than 2 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`, { signal: AbortSignal.timeout(3000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Not npm, which as process 1 ends with an error at a SIGTERM.
CMD ["node", "--enable-source-maps", "dist/main.js"]
