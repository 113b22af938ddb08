# A static binary on an empty image. What the container needs of the host is in
# docker-compose.yml.
# docker compose passes the image of .env, with its digest; this is the same tag.
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN make build VERSION=$VERSION

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/bin/procspan /procspan
ENTRYPOINT ["/procspan"]
CMD ["run"]
