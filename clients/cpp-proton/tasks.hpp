// Sender and receiver tasks, and the declaration of a queue: each is the handler of its own link.
//
// Proton does not send again what was not settled when a connection was lost. So a sender keeps every
// message that it handed over until its outcome is known, and hands those over again, first and in their
// order, when there is a connection again.
//
// The library carries old links over to the next connection, with credit that the new broker never gave,
// and with messages that were handed over but not written: these would overtake the ones sent again. So
// every task frees its session when the connection is lost and opens a new one afterwards.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <proton/connection.hpp>
#include <proton/delivery.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/receiver.hpp>
#include <proton/sender.hpp>
#include <proton/session.hpp>

#include "reporter.hpp"

namespace tanist {

// What a task needs of the client.
class Home {
public:
    virtual ~Home() = default;
    virtual Reporter& report() = 0;
    // Calls `call` in the thread of the container after so many milliseconds.
    virtual void later(int ms, std::function<void()> call) = 0;
    // A link name that nobody else has.
    virtual std::string link_name(std::int64_t task) = 0;
    // The broker ended the link of a task: only a new connection may help.
    virtual void link_failed(std::int64_t task, const std::string& reason) = 0;
    // A task is over.
    virtual void forget(std::int64_t task) = 0;
};

// One task. It lives as long as the program: the library may still call the handler of a closed link.
class Task : public proton::messaging_handler {
public:
    Task(Home& home, const json& request);

    std::int64_t id() const { return id_; }
    bool is_over() const { return over_; }

    // There is a connection: opens a session and a link.
    void attach(proton::connection connection);
    // The connection is lost.
    virtual void detach();
    // Ends in good order.
    void stop();
    // Closes the link, reports what is open and the end, once.
    void end(const std::string& reason);
    // The library gave the connection up: prepares for the next; how many messages are sent again.
    virtual std::int64_t doubt(const std::string&) { return 0; }
    // Counts a connection that was given up; false when that leads nowhere.
    bool may_go_on();
    // Some tasks have an answer instead of an end.
    virtual bool is_answering() const { return false; }

protected:
    virtual void open_link(proton::session session) = 0;
    virtual void close_link() = 0;
    // The broker has opened the link.
    virtual void begin() {}
    // Goes on, as far as possible.
    virtual void work() {}
    // Grows with what was done.
    virtual std::int64_t progress() const { return count_; }
    // Reports the outcome of what has none.
    virtual void report_rest() {}
    virtual void report_end(const std::string& reason);
    void opened(bool is_refused);
    void failed(const std::string& reason);

    Home& home_;
    const json request_;
    const std::int64_t id_;
    const std::string queue_;
    std::int64_t count_ = 0;
    std::int64_t attached_since_ = -1; // -1: no link that the broker has opened
    bool stopping_ = false;
    bool over_ = false;

private:
    proton::session session_;
    int failures_ = 0;             // connections given up since the last progress
    std::int64_t progressed_ = -1; // what progress() was then
};

// A task with a sender.
class OutgoingTask : public Task {
public:
    using Task::Task;
    void detach() override;
    void on_sender_open(proton::sender& sender) override;
    void on_sender_error(proton::sender& sender) override;
    void on_sender_close(proton::sender& sender) override;

protected:
    void close_link() override { sender_.close(); }
    proton::sender sender_;
};

// Answers its request when the broker has the queue.
class DeclareTask final : public OutgoingTask {
public:
    using OutgoingTask::OutgoingTask;
    bool is_answering() const override { return true; }

protected:
    void open_link(proton::session session) override;
    void begin() override { end(""); }
    void report_end(const std::string& reason) override;
};

// `count_` messages were announced, the first `handed_` of them given to the library at least once;
// `unconfirmed_` have no outcome, those of them in `again_` must be given to it once more.
class SendTask final : public OutgoingTask {
public:
    SendTask(Home& home, const json& request);
    void detach() override;
    std::int64_t doubt(const std::string& reason) override;
    void on_sendable(proton::sender& sender) override;
    void on_tracker_accept(proton::tracker& tracker) override;
    void on_tracker_reject(proton::tracker& tracker) override;
    void on_tracker_release(proton::tracker& tracker) override;
    void on_tracker_settle(proton::tracker& tracker) override;

protected:
    void open_link(proton::session session) override;
    void begin() override;
    void work() override;
    std::int64_t progress() const override { return confirmed_; }
    void report_rest() override;

private:
    bool is_all_announced() const { return total_ > 0 && count_ >= total_; }
    bool hand_over_next();
    bool announce();
    void hand_over(std::int64_t sn);
    void outcome(const proton::tracker& tracker, const char* type, const json& extra);
    bool is_open(const proton::tracker& tracker, std::int64_t sn) const;
    void report_doubt(const std::string& reason);

    const std::string producer_;
    const std::int64_t first_;
    const std::int64_t total_;
    const std::int64_t window_;
    const double rate_;
    const std::size_t body_bytes_;
    const bool durable_;
    const std::int64_t delay_ms_;
    const std::int64_t kinds_;
    std::int64_t handed_ = 0;
    std::int64_t confirmed_ = 0;
    std::set<std::int64_t> unconfirmed_; // handed over in ascending order
    std::deque<std::int64_t> again_;
    std::set<std::int64_t> doubted_; // reported as `info`
    std::int64_t started_ = -1;
    bool ticking_ = false;
};

// Both `receive` and `drain`. With `hold`, `unacked_` keeps what `settle` will be about.
class ReceiveTask final : public Task {
public:
    ReceiveTask(Home& home, const json& request);
    bool holds() const { return hold_; }
    // Gives what is held the outcome of the request, and answers it.
    void settle(const json& request);
    void detach() override;
    void on_receiver_open(proton::receiver& receiver) override;
    void on_receiver_error(proton::receiver& receiver) override;
    void on_receiver_close(proton::receiver& receiver) override;
    void on_receiver_drain_finish(proton::receiver& receiver) override;
    void on_message(proton::delivery& delivery, proton::message& message) override;

protected:
    void open_link(proton::session session) override;
    void close_link() override;
    void begin() override;
    void work() override;
    void report_rest() override { acknowledge(false); }

private:
    struct Taken {
        proton::delivery delivery;
        std::string producer;
        std::int64_t sn;
    };

    void take(proton::delivery& delivery, const proton::message& message);
    void acknowledge(bool unknown);
    void look();
    void finish(const std::string& reason);

    const std::uint32_t prefetch_;
    const std::size_t ack_every_;
    const std::int64_t limit_;
    const bool drain_;
    const bool hold_;
    const std::string subscription_;
    const double idle_s_;
    proton::receiver receiver_;
    std::vector<Taken> unacked_;
    std::int64_t quiet_since_;
    std::string ending_; // the reason, while the broker is asked to take back what it may still send
    bool acking_ = false;
};

} // namespace tanist
