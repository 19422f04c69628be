// What a program says: replies and events of docs/client-protocol.md, one JSON line each.
//
// Events about messages are collected and written at most 20 ms or 500 messages later, as ranges of
// sequence numbers; everything else is written at once, after all that was collected before it. Every
// line is written under one lock, so a Reporter may be used from every thread.

#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tanist {

using json = nlohmann::json;

// CLOCK_MONOTONIC in nanoseconds.
std::int64_t now_ns();

class Reporter {
public:
    // Takes stdout for itself: whatever else is printed goes to stderr and cannot break the protocol.
    Reporter();
    Reporter(const Reporter&) = delete;
    Reporter& operator=(const Reporter&) = delete;

    // Answers the request with this number.
    void reply(const std::string& type, std::int64_t in_reply_to, json fields = json::object());

    // Tells what happened now.
    void event(const std::string& type, json fields);

    void error(std::int64_t task, bool fatal, const std::string& text);

    // Announces the messages `first` to `last`.
    void invoke(std::int64_t task, const std::string& producer, std::int64_t first, std::int64_t last);

    // Collects the outcome or reception of one message.
    void message(const std::string& type, std::int64_t task, const std::string& producer, std::int64_t sn,
                 const json& extra = json::object());

    // Writes what was collected.
    void flush();

private:
    struct Batch {
        std::int64_t t = 0;
        json extra;
        std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    };

    // The first is the rank of the type: a flush writes what is received before what is acknowledged.
    using Key = std::tuple<int, std::int64_t, std::string>;

    void write(const json& line); // with the lock held
    void flush_collected();       // with the lock held
    [[noreturn]] void flush_in_time();

    std::mutex lock_;
    std::map<Key, Batch> collected_;
    int messages_ = 0;
    int out_;
};

} // namespace tanist
