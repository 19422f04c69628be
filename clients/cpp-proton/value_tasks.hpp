// The tasks of `put` and `take`: one message each, over a link of its own.

#pragma once

#include "tasks.hpp"

#include <proton/message.hpp>

namespace tanist {

// Sends one message that carries a value.
class PutTask final : public OutgoingTask {
public:
    PutTask(Home& home, const json& request);
    bool is_answering() const override { return true; }
    void on_sendable(proton::sender& sender) override;
    void on_tracker_accept(proton::tracker& tracker) override;
    void on_tracker_settle(proton::tracker& tracker) override;

protected:
    void open_link(proton::session session) override;
    void report_end(const std::string& reason) override;

private:
    const proton::message message_;
    bool sent_ = false;
};

// Receives one message that carries a value.
class TakeTask final : public Task {
public:
    TakeTask(Home& home, const json& request);
    bool is_answering() const override { return true; }
    void on_receiver_open(proton::receiver& receiver) override;
    void on_receiver_error(proton::receiver& receiver) override;
    void on_message(proton::delivery& delivery, proton::message& message) override;

protected:
    void open_link(proton::session session) override;
    void close_link() override { receiver_.close(); }
    void begin() override { receiver_.add_credit(1); }
    void report_end(const std::string& reason) override;

private:
    proton::receiver receiver_;
    json value_;
};

} // namespace tanist
