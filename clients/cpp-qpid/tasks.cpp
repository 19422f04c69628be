#include "tasks.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>

#include <qpid/messaging/Duration.h>
#include <qpid/types/Variant.h>

namespace tanist {

namespace {

using qpid::messaging::Connection;
using qpid::messaging::Duration;
using qpid::messaging::Message;
using qpid::messaging::Receiver;
using qpid::messaging::Sender;
using qpid::messaging::Session;

constexpr std::int64_t BLOCK = 100; // messages announced at once; the protocol's limit
constexpr auto POLL = std::chrono::milliseconds(1);
constexpr std::uint64_t WAIT_MS = 100; // how soon a waiting receiver sees that it shall stop
constexpr std::uint64_t ACK_MS = 20;   // a message waits at most so long for its acknowledgement
constexpr int FAILURES_MAX = 20;       // connections that brought a task no further: then it is our own mistake

// Between two requests of a sender that waits for the rest: without one an old broker may say nothing.
constexpr std::int64_t ASK_NS = 100'000'000;

std::int64_t at_least_one(const json& request, const char* key, std::int64_t otherwise) {
    return std::max<std::int64_t>(1, request.value(key, otherwise));
}

} // namespace

std::string address(const std::string& name, const std::string& options) {
    std::string quoted = "'";
    for (const char c : name) {
        if (c == '\\' || c == '\'') {
            quoted += '\\';
        }
        quoted += c;
    }
    return quoted + "'; " + options;
}

// ------------------------------------------------------------------------------------------- Task

Task::Task(Home& home, const json& request)
    : home_(home), request_(request), id_(request.at("id")), queue_(request.at("queue")) {}

void Task::run() {
    std::string reason;
    try {
        reason = work();
    } catch (const std::exception& error) { // whatever the library throws belongs in the history
        home_.report().error(id_, true, error.what());
        reason = "error";
    }
    end(reason);
}

// Works with one connection after the other; throws when that leads nowhere.
std::string Task::work() {
    int failures = 0;
    for (;;) {
        std::int64_t number = 0;
        Connection connection = home_.connection(number);
        const std::int64_t before = progress();
        std::string reason;
        try {
            return work_on(connection);
        } catch (const std::exception& error) {
            if (leaving_) {
                return "stopped";
            }
            failures = progress() == before ? failures + 1 : 0;
            if (!home_.may_reopen() || failures >= FAILURES_MAX) {
                throw;
            }
            reason = error.what();
        }
        const std::int64_t in_doubt = doubt(reason);
        home_.reopen(number, reason);
        home_.report().event("reopened", {{"task", id_}, {"reason", reason}, {"in_doubt", in_doubt}});
    }
}

void Task::leave() {
    leaving_ = true;
    stopping_ = true;
}

void Task::end(const std::string& reason) {
    if (!over_.exchange(true)) {
        report_rest();
        home_.report().event("ended", {{"task", id_}, {"reason", reason}, {"count", count_.load()}});
    }
}

// --------------------------------------------------------------------------------------- SendTask

SendTask::SendTask(Home& home, const json& request)
    : Task(home, request),
      producer_(request.at("producer")),
      first_(request.at("first_sn")),
      total_(request.at("count")),
      window_(at_least_one(request, "window", 100)),
      rate_(request.value("rate_per_s", 0.0)),
      body_bytes_(request.value("body_bytes", std::size_t{100})),
      durable_(request.value("durable", false)) {}

std::string SendTask::work_on(Connection connection) {
    Session session = connection.createSession();
    Sender sender = session.createSender(address(queue_, "{node: {type: queue}}"));
    sender.setCapacity(static_cast<std::uint32_t>(window_));
    if (started_ < 0) {
        started_ = now_ns();
    }
    while (!stopping_ && (handed_ < count_ || !is_all_announced())) {
        acknowledged(sender);
        const bool is_full = handed_ - settled_ >= window_;
        if (is_full || (handed_ == count_ && !announce())) {
            std::this_thread::sleep_for(POLL);
        } else {
            hand_over(sender);
        }
    }
    std::int64_t asked = 0;
    while (settled_ < handed_ && !leaving_) {
        if (now_ns() - asked > ASK_NS) {
            session.sync(false);
            asked = now_ns();
        }
        std::this_thread::sleep_for(POLL);
        acknowledged(sender);
    }
    if (leaving_) {
        return "stopped";
    }
    session.close();
    return is_all_announced() ? "count" : "stopped";
}

// Announces the next messages; false if none is due.
bool SendTask::announce() {
    std::int64_t block = std::min(BLOCK, window_);
    if (total_ > 0) {
        block = std::min(block, total_ - count_);
    }
    if (rate_ > 0) {
        const double seconds = static_cast<double>(now_ns() - started_) / 1e9;
        block = std::min(block, static_cast<std::int64_t>(seconds * rate_) + 1 - count_);
    }
    if (block <= 0) {
        return false;
    }
    const std::int64_t sn = first_ + count_;
    count_ += block;
    home_.report().invoke(id_, producer_, sn, sn + block - 1);
    return true;
}

// Gives the next message to the library, which may block while there is no connection.
void SendTask::hand_over(Sender& sender) {
    const std::int64_t sn = first_ + handed_;
    std::string body = producer_ + ':' + std::to_string(sn) + ':';
    body.resize(std::max(body.size(), body_bytes_), 'x');
    Message message(body);
    message.setContentType("text/plain");
    message.setDurable(durable_);
    message.setProperty("producer", qpid::types::Variant(producer_));
    message.setProperty("sn", qpid::types::Variant(sn));
    {
        const std::lock_guard<std::mutex> guard(lock_);
        touched_ = std::max(touched_, handed_ + 1); // inside the library's send: it may be sent
    }
    sender.send(message);
    const std::lock_guard<std::mutex> guard(lock_);
    handed_++;
}

// Reports what was acknowledged since the last time.
void SendTask::acknowledged(Sender& sender) {
    const auto unsettled = static_cast<std::int64_t>(sender.getUnsettled());
    const std::lock_guard<std::mutex> guard(lock_);
    while (settled_ < handed_ - unsettled && !over_) {
        home_.report().message("ok", id_, producer_, first_ + settled_);
        settled_++;
    }
}

std::int64_t SendTask::doubt(const std::string& reason) {
    const std::lock_guard<std::mutex> guard(lock_);
    report_doubt(reason);
    handed_ = settled_;
    return touched_ - settled_;
}

// With the lock held.
void SendTask::report_doubt(const std::string& reason) {
    for (doubted_ = std::max<std::int64_t>(doubted_, settled_); doubted_ < touched_; doubted_++) {
        home_.report().message("info", id_, producer_, first_ + doubted_, {{"reason", reason}});
    }
}

void SendTask::report_rest() {
    const std::lock_guard<std::mutex> guard(lock_);
    report_doubt("not acknowledged");
    for (std::int64_t number = touched_; number < count_; number++) {
        home_.report().message("fail", id_, producer_, first_ + number, {{"reason", "not sent"}});
    }
}

// ------------------------------------------------------------------------------------ ReceiveTask

ReceiveTask::ReceiveTask(Home& home, const json& request)
    : Task(home, request),
      prefetch_(static_cast<std::uint32_t>(at_least_one(request, "prefetch", 100))),
      ack_every_(static_cast<std::size_t>(at_least_one(request, "ack_every", 1))),
      limit_(request.value("count", std::int64_t{0})),
      drain_(request.at("type") == "drain"),
      idle_s_(request.value(drain_ ? "empty_s" : "idle_s", 0.0)) {}

std::string ReceiveTask::work_on(Connection connection) {
    Session session = connection.createSession();
    Receiver receiver = session.createReceiver(address(queue_, "{node: {type: queue}}"));
    receiver.setCapacity(prefetch_);
    const std::string reason = receive(session);
    acknowledge(session);
    if (!leaving_) {
        session.sync();
        session.close();
    }
    return reason;
}

std::string ReceiveTask::receive(Session& session) {
    std::int64_t quiet_since = now_ns();
    while (!stopping_) {
        Receiver receiver;
        Message message;
        if (session.nextReceiver(receiver, Duration(unacked() == 0 ? WAIT_MS : ACK_MS)) &&
            receiver.fetch(message, Duration::IMMEDIATE)) {
            take(session, message);
            quiet_since = now_ns();
            if (limit_ > 0 && count_ >= limit_) {
                return "count";
            }
            continue;
        }
        acknowledge(session);
        if (drain_) {
            const std::int64_t connected = home_.connected_since();
            quiet_since = std::max(quiet_since, connected < 0 ? now_ns() : connected);
        }
        if (idle_s_ > 0 && static_cast<double>(now_ns() - quiet_since) >= idle_s_ * 1e9) {
            return drain_ ? "empty" : "idle";
        }
    }
    return "stopped";
}

void ReceiveTask::take(Session& session, Message& message) {
    const auto& properties = message.getProperties();
    const auto producer = properties.find("producer");
    const auto sn = properties.find("sn");
    if (producer == properties.end() || sn == properties.end()) {
        home_.report().error(id_, false, "invalid_argument: a message without producer and sn");
        session.acknowledge(message);
        return;
    }
    const Taken taken{producer->second.asString(), sn->second.asInt64()};
    count_++;
    {
        const std::lock_guard<std::mutex> guard(lock_);
        unacked_.push_back(taken);
    }
    home_.report().message("received", id_, taken.producer, taken.sn,
                           {{"redelivered", message.getRedelivered()}, {"count", nullptr}});
    if (unacked() >= ack_every_) {
        acknowledge(session);
    }
}

void ReceiveTask::acknowledge(Session& session) {
    if (unacked() > 0) {
        session.acknowledge();
        report_acknowledged(false);
    }
}

std::size_t ReceiveTask::unacked() {
    const std::lock_guard<std::mutex> guard(lock_);
    return unacked_.size();
}

void ReceiveTask::report_acknowledged(bool unknown) {
    const std::lock_guard<std::mutex> guard(lock_);
    for (const auto& [producer, sn] : unacked_) {
        home_.report().message("acked", id_, producer, sn, {{"unknown", unknown}});
    }
    unacked_.clear();
}

std::int64_t ReceiveTask::doubt(const std::string&) {
    report_acknowledged(true); // these come again
    return 0;
}

} // namespace tanist
