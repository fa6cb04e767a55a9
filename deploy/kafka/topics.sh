#!/bin/sh
# Creates the topics of pipelines/kafka.toml where they are not there: topics.sh HOST:PORT
set -eu
PATH=$PATH:/opt/kafka/bin  # where the image has its tools
for topic in watch.readings watch.assignments watch.drift watch.dead-letters; do
  kafka-topics.sh --bootstrap-server "$1" --create --if-not-exists --topic "$topic" --partitions 4 --replication-factor 1
done
