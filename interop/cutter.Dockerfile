# iptables, for the drill to cut links inside the network of a broker's container. It has no business elsewhere.
FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends iptables \
 && rm -rf /var/lib/apt/lists/*
