#include "reporter.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include <unistd.h>

namespace tanist {

namespace {

constexpr auto BATCH = std::chrono::milliseconds(20);
constexpr int BATCH_MESSAGES = 500;
constexpr std::array<const char*, 6> TYPES{"received", "settled", "acked", "ok", "fail", "info"};

int rank_of(const std::string& type) {
    return static_cast<int>(std::find(TYPES.begin(), TYPES.end(), type) - TYPES.begin());
}

} // namespace

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Reporter::Reporter() : out_(dup(STDOUT_FILENO)) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    std::thread([this] { flush_in_time(); }).detach();
}

void Reporter::reply(const std::string& type, std::int64_t in_reply_to, json fields) {
    fields["type"] = type;
    fields["in_reply_to"] = in_reply_to;
    const std::lock_guard<std::mutex> guard(lock_);
    flush_collected();
    write(fields);
}

void Reporter::event(const std::string& type, json fields) {
    fields["type"] = type;
    const std::lock_guard<std::mutex> guard(lock_);
    flush_collected();
    fields["t"] = now_ns();
    write(fields);
}

void Reporter::error(std::int64_t task, bool fatal, const std::string& text) {
    event("error", {{"task", task}, {"fatal", fatal}, {"text", text}});
}

void Reporter::invoke(std::int64_t task, const std::string& producer, std::int64_t first, std::int64_t last) {
    event("invoke", {{"task", task}, {"producer", producer}, {"sns", json::array({json::array({first, last})})}});
}

void Reporter::message(const std::string& type, std::int64_t task, const std::string& producer, std::int64_t sn,
                       const json& extra) {
    const std::lock_guard<std::mutex> guard(lock_);
    const Key key{rank_of(type), task, producer};
    auto found = collected_.find(key);
    if (found != collected_.end() && found->second.extra != extra) {
        flush_collected();
        found = collected_.end();
    }
    if (found == collected_.end()) {
        found = collected_.emplace(key, Batch{now_ns(), extra, {}}).first;
    }
    auto& ranges = found->second.ranges;
    if (!ranges.empty() && ranges.back().second + 1 == sn) {
        ranges.back().second = sn;
    } else {
        ranges.emplace_back(sn, sn);
    }
    if (++messages_ >= BATCH_MESSAGES) {
        flush_collected();
    }
}

void Reporter::flush() {
    const std::lock_guard<std::mutex> guard(lock_);
    flush_collected();
}

void Reporter::flush_collected() {
    for (auto& [key, batch] : collected_) {
        const auto& [rank, task, producer] = key;
        json line = batch.extra;
        line["type"] = TYPES.at(static_cast<std::size_t>(rank));
        line["t"] = batch.t;
        line["task"] = task;
        line["producer"] = producer;
        line["sns"] = batch.ranges;
        write(line);
    }
    collected_.clear();
    messages_ = 0;
}

void Reporter::write(const json& line) {
    const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::write(out_, text.data() + done, text.size() - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return; // the drill has gone; stdin ends as well and ends the program
        }
        done += static_cast<std::size_t>(count);
    }
}

void Reporter::flush_in_time() {
    for (;;) {
        std::this_thread::sleep_for(BATCH);
        flush();
    }
}

} // namespace tanist
