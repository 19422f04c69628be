// Where the members of the cluster are, as the broker's exchange amq.failover tells: at once, and at each change.

#pragma once

#include "tasks.hpp"

#include <proton/message.hpp>

namespace tanist {

// Receives from amq.failover for as long as the program lives, over a link of its own.
class MembersTask final : public Task {
public:
    // Gets the URLs of all members, in the broker's order.
    using Told = std::function<void(const std::vector<std::string>&)>;

    MembersTask(Home& home, Told told);
    bool is_answering() const override { return true; }
    void on_receiver_open(proton::receiver& receiver) override;
    void on_receiver_error(proton::receiver& receiver) override;
    void on_message(proton::delivery& delivery, proton::message& message) override;

protected:
    void open_link(proton::session session) override;
    void close_link() override { receiver_.close(); }
    void begin() override { receiver_.add_credit(CREDIT); }
    void work() override;
    std::int64_t progress() const override { return now_ns(); } // nobody waits for it
    void report_end(const std::string& reason) override;

private:
    static constexpr std::uint32_t CREDIT = 10;

    const Told told_;
    proton::receiver receiver_;
};

} // namespace tanist
