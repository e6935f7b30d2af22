# syntax=docker/dockerfile:1

# Both images can be given by digest:
#   docker build --build-arg GO_IMAGE=golang@sha256:… --build-arg BASE_IMAGE=alpine@sha256:… .
ARG GO_IMAGE=golang:1.26-alpine
ARG BASE_IMAGE=alpine:3.22

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS=linux
ARG TARGETARCH=amd64
ARG VERSION=devel
WORKDIR /src
COPY . .
# Static binaries: no C library, so any base image will do.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/...

FROM ${BASE_IMAGE}
ARG VERSION=devel
ARG REVISION=unknown
# git reads and writes repositories, over ssh too; tini collects what a killed
# git leaves behind. ssh will not run as a user that has no name.
RUN apk add --no-cache ca-certificates git openssh-client tini \
    && echo 'syncgate:x:999:999:Syncgate:/home/syncgate:/sbin/nologin' >> /etc/passwd \
    && mkdir -p /var/lib/syncgate /home/syncgate \
    && chown 999:999 /var/lib/syncgate /home/syncgate
COPY --from=build /out/ /usr/local/bin/
ENV HOME=/home/syncgate
WORKDIR /home/syncgate
# Numeric, so that runAsNonRoot can be checked; 999, because the repo-server of
# Argo CD shares its socket folder with that user.
USER 999:999
EXPOSE 8443
LABEL org.opencontainers.image.title="Syncgate" \
      org.opencontainers.image.description="Guards GitOps upgrades of stateful applications on several clusters" \
      org.opencontainers.image.source="https://github.com/syncgate/syncgate" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No HEALTHCHECK: Kubernetes asks /healthz and /readyz.
ENTRYPOINT ["/sbin/tini", "--", "/usr/local/bin/syncgate"]
