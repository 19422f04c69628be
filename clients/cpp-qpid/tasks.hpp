// Sender and receiver tasks: one thread and one qpid::messaging session each.
//
// The library sends again by itself, in order, what was not acknowledged when a connection was lost
// (capability `resend`), so a sequence number is handed over once. Sender::getUnsettled() counts what is
// not acknowledged; the library settles in order, so the acknowledged messages are always the first ones.
//
// When the library gives a connection up for good and the drill allows it, a task goes on with a new one:
// a sender reports what it had handed over and is not acknowledged as `info` and hands it over again, under
// the same numbers.

#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <qpid/messaging/Connection.h>
#include <qpid/messaging/Message.h>
#include <qpid/messaging/Receiver.h>
#include <qpid/messaging/Sender.h>
#include <qpid/messaging/Session.h>

#include "reporter.hpp"

namespace tanist {

// What a task needs of the client.
class Home {
public:
    virtual ~Home() = default;
    virtual Reporter& report() = 0;
    // The present connection and its number; each new one has a higher number.
    virtual qpid::messaging::Connection connection(std::int64_t& number) = 0;
    // When the present connection was opened or came back; -1 while it is lost.
    virtual std::int64_t connected_since() = 0;
    virtual bool may_reopen() = 0;
    // The library gave connection `number` up: opens another one, unless another task did.
    virtual void reopen(std::int64_t number, const std::string& reason) = 0;
};

// An address of the plain queue `name`.
std::string address(const std::string& name, const std::string& options);

class Task {
public:
    Task(Home& home, const json& request);
    virtual ~Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

    std::int64_t id() const { return id_; }
    bool is_over() const { return over_; }

    // Does the work, until its end; in a thread of its own.
    void run();
    // Ends in good order.
    void stop() { stopping_ = true; }
    // Ends at once; the connection is about to be closed.
    void leave();
    // Reports what is open and the end, once.
    void end(const std::string& reason);

protected:
    // Does the work with one connection and returns the reason of its end.
    virtual std::string work_on(qpid::messaging::Connection connection) = 0;
    // Grows with what was done.
    virtual std::int64_t progress() const { return count_; }
    // The connection is gone for good: prepares to go on; how many messages are sent again.
    virtual std::int64_t doubt(const std::string&) { return 0; }
    // Reports the outcome of what has none.
    virtual void report_rest() {}

    Home& home_;
    const json request_;
    const std::int64_t id_;
    const std::string queue_;
    std::atomic<std::int64_t> count_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> leaving_{false};
    std::atomic<bool> over_{false};

private:
    std::string work();
};

// Messages are counted from 0: `count_` were announced, `handed_` of them are with the library, `settled_`
// of these are acknowledged; `touched_` were handed over once, perhaps to a connection that is gone.
class SendTask final : public Task {
public:
    SendTask(Home& home, const json& request);

protected:
    std::string work_on(qpid::messaging::Connection connection) override;
    std::int64_t progress() const override { return settled_; }
    std::int64_t doubt(const std::string& reason) override;
    void report_rest() override;

private:
    bool is_all_announced() const { return total_ > 0 && count_ >= total_; }
    bool announce();
    void hand_over(qpid::messaging::Sender& sender);
    void acknowledged(qpid::messaging::Sender& sender);
    void report_doubt(const std::string& reason);

    const std::string producer_;
    const std::int64_t first_;
    const std::int64_t total_;
    const std::int64_t window_;
    const double rate_;
    const std::size_t body_bytes_;
    const bool durable_;
    std::mutex lock_; // of the counters: `close` may report the rest while a send hangs
    std::int64_t handed_ = 0;
    std::int64_t touched_ = 0;
    std::int64_t doubted_ = 0; // below it, what has no outcome was reported as `info`
    std::atomic<std::int64_t> settled_{0};
    std::int64_t started_ = -1;
};

// Both `receive` and `drain`.
class ReceiveTask final : public Task {
public:
    ReceiveTask(Home& home, const json& request);

protected:
    std::string work_on(qpid::messaging::Connection connection) override;
    std::int64_t doubt(const std::string& reason) override;
    void report_rest() override { report_acknowledged(true); }

private:
    struct Taken {
        std::string producer;
        std::int64_t sn;
    };

    std::string receive(qpid::messaging::Session& session);
    void take(qpid::messaging::Session& session, qpid::messaging::Message& message);
    void acknowledge(qpid::messaging::Session& session);
    void report_acknowledged(bool unknown);
    std::size_t unacked();

    const std::uint32_t prefetch_;
    const std::size_t ack_every_;
    const std::int64_t limit_;
    const bool drain_;
    const double idle_s_;
    std::mutex lock_; // of unacked_
    std::vector<Taken> unacked_;
};

} // namespace tanist
