# Holds the address of a broker in the drill, and cuts its links with iptables. It has no business elsewhere.
FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/*
