#include "tasks.hpp"

#include <algorithm>

#include <proton/annotation_key.hpp>
#include <proton/codec/encoder.hpp>
#include <proton/delivery.h>
#include <proton/delivery_mode.hpp>
#include <proton/disposition.h>
#include <proton/error_condition.hpp>
#include <proton/message.hpp>
#include <proton/receiver_options.hpp>
#include <proton/sender_options.hpp>
#include <proton/session.h>
#include <proton/source.hpp>
#include <proton/source_options.hpp>
#include <proton/symbol.hpp>
#include <proton/target.hpp>
#include <proton/target_options.hpp>
#include <proton/timestamp.hpp>
#include <proton/tracker.hpp>
#include <proton/value.hpp>

namespace tanist {

namespace {

constexpr std::int64_t BLOCK = 100; // messages announced at once; the protocol's limit
constexpr int TICK_MS = 5;          // of a sender with a rate
constexpr int ACK_MS = 10;          // a message waits at most so long for its acknowledgement
constexpr int LOOK_MS = 50;         // how often a receiver looks whether it was quiet for long enough
constexpr int DRAIN_MS = 2000;      // patience with a broker that does not answer when a receiver ends
constexpr int FAILURES_MAX = 20;    // connections that brought a task no further: then it is our own mistake

// The C++ library cannot drop a session without the broker; the C library underneath it can.
class DroppedSession : public proton::session {
public:
    explicit DroppedSession(const proton::session& dropped) : proton::session(dropped) {}
    void free() { pn_session_free(pn_object()); }
};

// `modify` of the C++ library leaves delivery-failed unset; the C library underneath it can set it.
class FailedDelivery : public proton::delivery {
public:
    explicit FailedDelivery(const proton::delivery& failed) : proton::delivery(failed) {
        pn_disposition_set_failed(pn_delivery_local(pn_object()), true);
    }
};

std::int64_t at_least_one(const json& request, const char* key, std::int64_t otherwise) {
    return std::max<std::int64_t>(1, request.value(key, otherwise));
}

// The filter of a source from which messages with this selector are wanted.
proton::source::filter_map selecting(const std::string& selector) {
    proton::value filter;
    proton::codec::encoder encoder(filter);
    encoder << proton::codec::start::described() << proton::symbol("apache.org:selector-filter:string") << selector
            << proton::codec::finish();
    proton::source::filter_map filters;
    filters.put(proton::symbol("selector"), filter);
    return filters;
}

std::string tag_of(const proton::tracker& tracker) {
    const proton::binary tag = tracker.tag();
    return std::string(tag.begin(), tag.end());
}

} // namespace

// ------------------------------------------------------------------------------------------- Task

Task::Task(Home& home, const json& request)
    : home_(home), request_(request), id_(request.at("id")), queue_(request.at("queue")) {}

void Task::attach(proton::connection connection) {
    session_ = connection.open_session();
    open_link(session_);
}

void Task::detach() {
    if (!!session_) {
        DroppedSession(session_).free();
    }
    session_ = proton::session();
    attached_since_ = -1;
}

void Task::stop() {
    stopping_ = true;
    work();
}

void Task::opened(bool is_refused) {
    if (!is_refused) { // else the reason follows, in a detach
        attached_since_ = now_ns();
        begin();
    }
}

void Task::failed(const std::string& reason) {
    if (!over_) {
        home_.link_failed(id_, reason);
    }
}

bool Task::may_go_on() {
    failures_ = progress() == progressed_ ? failures_ + 1 : 1;
    progressed_ = progress();
    return failures_ < FAILURES_MAX;
}

void Task::end(const std::string& reason) {
    if (over_) {
        return;
    }
    report_rest();
    over_ = true;
    if (!!session_) {
        close_link();
        session_.close();
    }
    home_.forget(id_);
    report_end(reason);
}

void Task::report_end(const std::string& reason) {
    home_.report().event("ended", {{"task", id_}, {"reason", reason}, {"count", count_}});
}

// ----------------------------------------------------------------------------------- OutgoingTask

void OutgoingTask::detach() {
    Task::detach();
    sender_ = proton::sender();
}

void OutgoingTask::on_sender_open(proton::sender& sender) {
    if (sender == sender_) {
        opened(sender.target().address().empty());
    }
}

void OutgoingTask::on_sender_error(proton::sender& sender) {
    if (sender == sender_) {
        failed(sender.error().what());
    }
}

void OutgoingTask::on_sender_close(proton::sender& sender) {
    if (sender == sender_) {
        failed("the broker closed the link");
    }
}

// ------------------------------------------------------------------------------------ DeclareTask

void DeclareTask::open_link(proton::session session) {
    // qpid::messaging asks a broker in the same way to create what a link names.
    proton::target_options target;
    target.capabilities({"create-on-demand", "queue"});
    if (request_.value("durable", false)) {
        proton::target::dynamic_property_map properties;
        properties.put("durable", true);
        target.dynamic_properties(properties);
    }
    proton::sender_options options;
    options.name(home_.link_name(id_)).handler(*this).target(target);
    sender_ = session.open_sender(queue_, options);
}

void DeclareTask::report_end(const std::string& reason) {
    if (reason.empty()) {
        home_.report().reply("done", id_);
    } else {
        home_.report().reply("failed", id_, {{"reason", reason}});
    }
}

// --------------------------------------------------------------------------------------- SendTask

SendTask::SendTask(Home& home, const json& request)
    : OutgoingTask(home, request),
      producer_(request.at("producer")),
      first_(request.at("first_sn")),
      total_(request.at("count")),
      window_(at_least_one(request, "window", 100)),
      rate_(request.value("rate_per_s", 0.0)),
      body_bytes_(request.value("body_bytes", std::size_t{100})),
      durable_(request.value("durable", false)),
      delay_ms_(request.value("delay_ms", std::int64_t{0})),
      kinds_(request.value("kinds", std::int64_t{0})) {}

void SendTask::open_link(proton::session session) {
    proton::sender_options options;
    options.name(home_.link_name(id_)).handler(*this).delivery_mode(proton::delivery_mode::AT_LEAST_ONCE);
    sender_ = session.open_sender(queue_, options);
}

void SendTask::begin() {
    if (started_ < 0) {
        started_ = now_ns();
    }
    work();
}

void SendTask::on_sendable(proton::sender& sender) {
    if (sender == sender_) {
        work();
    }
}

void SendTask::work() {
    if (over_) {
        return;
    }
    if (attached_since_ >= 0) {
        while (sender_.credit() > 0 && hand_over_next()) {
        }
    }
    if (unconfirmed_.empty() && (stopping_ || (is_all_announced() && handed_ == count_))) {
        end(is_all_announced() ? "count" : "stopped");
    }
}

// Gives the next message to the library; false if there is none now.
bool SendTask::hand_over_next() {
    if (!again_.empty()) {
        const std::int64_t sn = again_.front();
        again_.pop_front();
        hand_over(sn);
        return true;
    }
    if (stopping_ || static_cast<std::int64_t>(unconfirmed_.size()) >= window_) {
        return false;
    }
    if (handed_ == count_ && !announce()) {
        return false;
    }
    const std::int64_t sn = first_ + handed_;
    handed_++;
    unconfirmed_.insert(sn);
    hand_over(sn);
    return true;
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
        if (!is_all_announced() && !ticking_) {
            ticking_ = true;
            home_.later(TICK_MS, [this] {
                ticking_ = false;
                work();
            });
        }
        return false;
    }
    const std::int64_t sn = first_ + count_;
    count_ += block;
    home_.report().invoke(id_, producer_, sn, sn + block - 1);
    return true;
}

void SendTask::hand_over(std::int64_t sn) {
    const std::string number = std::to_string(sn);
    std::string body = producer_ + ':' + number + ':';
    body.resize(std::max(body.size(), body_bytes_), 'x');
    proton::message message(body);
    message.properties().put("producer", producer_);
    message.properties().put("sn", sn);
    if (kinds_ > 0) {
        message.properties().put("kind", sn % kinds_);
    }
    message.durable(durable_);
    if (delay_ms_ > 0) {
        const proton::timestamp due(proton::timestamp::now().milliseconds() + delay_ms_);
        message.message_annotations().put(proton::annotation_key(proton::symbol("x-opt-delivery-time")), due);
    }
    sender_.send(message, proton::binary(number));
}

void SendTask::on_tracker_accept(proton::tracker& tracker) { outcome(tracker, "ok", json::object()); }

void SendTask::on_tracker_reject(proton::tracker& tracker) { outcome(tracker, "fail", {{"reason", "rejected"}}); }

// The broker did not take it (released, modified): gives it to the library again.
void SendTask::on_tracker_release(proton::tracker& tracker) {
    const std::int64_t sn = std::stoll(tag_of(tracker));
    if (is_open(tracker, sn)) {
        again_.push_back(sn);
        work();
    }
}

void SendTask::on_tracker_settle(proton::tracker& tracker) {
    const auto state = tracker.state();
    if (state != proton::transfer::RELEASED && state != proton::transfer::MODIFIED) {
        outcome(tracker, "info", {{"reason", "settled without an outcome"}});
    }
}

bool SendTask::is_open(const proton::tracker& tracker, std::int64_t sn) const {
    return tracker.sender() == sender_ && unconfirmed_.count(sn) == 1;
}

// Reports the outcome of one message, unless it has one.
void SendTask::outcome(const proton::tracker& tracker, const char* type, const json& extra) {
    const std::int64_t sn = std::stoll(tag_of(tracker));
    if (is_open(tracker, sn)) {
        unconfirmed_.erase(sn);
        doubted_.erase(sn);
        confirmed_++;
        home_.report().message(type, id_, producer_, sn, extra);
        work();
    }
}

void SendTask::detach() {
    OutgoingTask::detach();
    again_.assign(unconfirmed_.begin(), unconfirmed_.end());
}

std::int64_t SendTask::doubt(const std::string& reason) {
    report_doubt(reason);
    return static_cast<std::int64_t>(unconfirmed_.size());
}

void SendTask::report_doubt(const std::string& reason) {
    for (const std::int64_t sn : unconfirmed_) {
        if (doubted_.insert(sn).second) {
            home_.report().message("info", id_, producer_, sn, {{"reason", reason}});
        }
    }
}

void SendTask::report_rest() {
    report_doubt("not acknowledged");
    for (std::int64_t number = handed_; number < count_; number++) {
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
      hold_(request.value("hold", false)),
      subscription_(request.value("subscription", "")),
      idle_s_(request.value(drain_ ? "empty_s" : "idle_s", 0.0)),
      quiet_since_(now_ns()) {
    if (idle_s_ > 0) {
        home.later(LOOK_MS, [this] { look(); });
    }
}

void ReceiveTask::open_link(proton::session session) {
    proton::receiver_options options;
    options.name(home_.link_name(id_)).handler(*this).credit_window(0).auto_accept(false);
    proton::source_options source; // given once: the options of a second one would take its place
    if (request_.contains("selector") && request_["selector"] != "") {
        source.filters(selecting(request_["selector"]));
    }
    if (!subscription_.empty()) {
        options.name(subscription_);
        source.durability_mode(proton::source::UNSETTLED_STATE).expiry_policy(proton::source::NEVER);
    }
    options.source(source);
    receiver_ = session.open_receiver(queue_, options);
}

void ReceiveTask::close_link() {
    if (subscription_.empty()) {
        receiver_.close();
    } else {
        receiver_.detach(); // the subscription stays
    }
}

void ReceiveTask::on_receiver_open(proton::receiver& receiver) {
    if (receiver == receiver_) {
        opened(receiver.source().address().empty());
    }
}

void ReceiveTask::on_receiver_error(proton::receiver& receiver) {
    if (receiver == receiver_) {
        failed(receiver.error().what());
    }
}

void ReceiveTask::on_receiver_close(proton::receiver& receiver) {
    if (receiver == receiver_) {
        failed("the broker closed the link");
    }
}

void ReceiveTask::begin() {
    if (hold_ && ending_.empty()) {
        receiver_.add_credit(static_cast<std::uint32_t>(limit_ - count_));
    } else if (ending_.empty()) {
        receiver_.add_credit(prefetch_);
    } else {
        end(ending_);
    }
}

void ReceiveTask::work() {
    if (stopping_) {
        finish("stopped");
    }
}

void ReceiveTask::on_message(proton::delivery& delivery, proton::message& message) {
    if (over_ || !(delivery.receiver() == receiver_)) {
        return;
    }
    if (!ending_.empty()) {
        delivery.release();
        return;
    }
    quiet_since_ = now_ns();
    take(delivery, message);
    if (hold_) {
        return;
    }
    if (limit_ > 0 && count_ >= limit_) {
        finish("count");
    } else {
        receiver_.add_credit(1);
    }
}

void ReceiveTask::take(proton::delivery& delivery, const proton::message& message) {
    const auto& properties = message.properties();
    if (!properties.exists("producer") || !properties.exists("sn")) {
        home_.report().error(id_, false, "invalid_argument: a message without producer and sn");
        delivery.accept();
        return;
    }
    const auto producer = proton::get<std::string>(properties.get("producer"));
    const auto sn = proton::coerce<std::int64_t>(properties.get("sn"));
    count_++;
    unacked_.push_back({delivery, producer, sn});
    const std::uint32_t before = message.delivery_count();
    home_.report().message(
        "received", id_, producer, sn,
        {{"redelivered", before > 0}, {"count", before}, {"first_acquirer", message.first_acquirer()}});
    if (hold_) {
        return;
    }
    if (unacked_.size() >= ack_every_) {
        acknowledge(false);
    } else if (!acking_) {
        acking_ = true;
        home_.later(ACK_MS, [this] {
            acking_ = false;
            acknowledge(false);
        });
    }
}

void ReceiveTask::settle(const json& request) {
    const std::string outcome = request.at("outcome");
    if (outcome == "rollback") {
        home_.report().reply("unsupported", request["id"], {{"request", "settle"}, {"reason", "no transaction"}});
        return;
    }
    std::vector<Taken> held;
    held.swap(unacked_);
    for (auto& taken : held) {
        if (outcome == "accept") {
            taken.delivery.accept();
        } else if (outcome == "reject") {
            taken.delivery.reject();
        } else if (outcome == "release") {
            taken.delivery.release();
        } else {
            FailedDelivery(taken.delivery).modify();
        }
        home_.report().message("settled", id_, taken.producer, taken.sn, {{"outcome", outcome}});
    }
    home_.report().reply("done", request["id"]);
}

void ReceiveTask::acknowledge(bool unknown) {
    if (hold_) {
        return;
    }
    std::vector<Taken> unacked;
    unacked.swap(unacked_);
    for (auto& taken : unacked) {
        if (!unknown) {
            taken.delivery.accept();
        }
        home_.report().message("acked", id_, taken.producer, taken.sn, {{"unknown", unknown}});
    }
}

void ReceiveTask::look() {
    if (over_) {
        return;
    }
    home_.later(LOOK_MS, [this] { look(); });
    std::int64_t since = quiet_since_;
    if (drain_) {
        if (attached_since_ < 0) {
            return;
        }
        since = std::max(since, attached_since_);
    }
    if (static_cast<double>(now_ns() - since) >= idle_s_ * 1e9) {
        finish(drain_ ? "empty" : "idle");
    }
}

// Acknowledges, then takes the credit back, so that no message is on its way when the link ends.
void ReceiveTask::finish(const std::string& reason) {
    if (!ending_.empty()) {
        return;
    }
    ending_ = reason;
    acknowledge(false);
    if (attached_since_ < 0) {
        end(reason);
        return;
    }
    receiver_.drain();
    home_.later(DRAIN_MS, [this] { end(ending_); });
}

void ReceiveTask::on_receiver_drain_finish(proton::receiver& receiver) {
    if (receiver == receiver_ && !ending_.empty()) {
        end(ending_);
    }
}

void ReceiveTask::detach() {
    acknowledge(true); // the acknowledgement has nowhere to go; these come again
    Task::detach();
    receiver_ = proton::receiver();
    if (!ending_.empty()) {
        end(ending_);
    }
}

} // namespace tanist
