// A client program of the drill: Qpid Proton C++ (AMQP 1.0).
//
// Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md says;
// free text goes to stderr. Started by `run` beside this file. Tasks are in tasks.hpp, lines in
// ../cpp-common/reporter.hpp; here are the requests and the life of the connection.
//
// Everything happens in the one thread of Proton's container; a second thread only reads stdin and hands
// the lines over. What is done outside of the connection's own events is followed by a wake-up of the
// connection, without which the library would not look at it.

#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/utsname.h>
#include <unistd.h>

#include <proton/connection.hpp>
#include <proton/connection_options.hpp>
#include <proton/container.hpp>
#include <proton/duration.hpp>
#include <proton/error_condition.hpp>
#include <proton/messaging_handler.hpp>
#include <proton/reconnect_options.hpp>
#include <proton/transport.hpp>
#include <proton/version.h>
#include <proton/work_queue.hpp>

#include "members.hpp"
#include "reporter.hpp"
#include "tasks.hpp"
#include "value_tasks.hpp"

namespace tanist {

namespace {

constexpr int PROTOCOL = 2;
constexpr int TASKS_MS = 1000; // for the tasks to end, and
constexpr int CLOSE_MS = 800;  // for the connection afterwards; the protocol allows 2 s in all

// Between two walks through the addresses; the library's own goes from 10 ms up without an end.
constexpr int RETRY_MS = 100;
constexpr int RETRY_MAX_MS = 500;

const std::vector<std::string> CAPABILITIES{"send",           "receive",           "heartbeat", "reconnect", "redelivered",
                                            "delivery_count", "connection_events", "reopen",    "hold",
                                            "selector",       "subscribe",         "delay",     "values",
                                            "auth",           "failover_exchange"};

class Client final : public proton::messaging_handler, public Home {
public:
    Client() : container_(*this) { container_.auto_stop(false); }

    void run() { container_.run(); }

    Reporter& report() override { return report_; }
    void later(int ms, std::function<void()> call) override;
    std::string link_name(std::int64_t task) override;
    void link_failed(std::int64_t task, const std::string& reason) override;
    void forget(std::int64_t task) override { running_.erase(task); }

    void on_container_start(proton::container&) override;
    void on_connection_open(proton::connection& connection) override;
    void on_connection_error(proton::connection& connection) override;
    void on_connection_close(proton::connection& connection) override;
    void on_transport_error(proton::transport& transport) override;
    void on_transport_close(proton::transport& transport) override;
    void on_session_error(proton::session& session) override;
    void on_error(const proton::error_condition& error) override;

private:
    struct Reopening {
        Task* task;
        std::int64_t in_doubt;
    };

    void read();
    void line(const std::string& text);
    void carry_out(const std::string& type, const json& request);
    void init(const json& request);
    void connect(const json& request);
    void told(const std::vector<std::string>& urls);
    void begin(const std::string& type, const json& request);
    void settle(const json& request);
    void stop(const json& request);
    void close(bool asked, std::int64_t id);
    void await_tasks(std::int64_t deadline);
    [[noreturn]] void leave();

    void open_connection();
    proton::connection_options options(const json& request) const;
    void lost(const std::string& reason);
    void gave_up(const std::string& reason);
    bool may_go_on(const std::string& reason);
    std::vector<Task*> running() const;

    Reporter report_;
    proton::container container_;
    std::string unique_;
    json wanted_ = json::object(); // the request that told how to connect
    proton::connection_options wanted_options_;
    proton::connection connection_;
    std::unique_ptr<MembersTask> members_;
    std::vector<std::unique_ptr<Task>> tasks_; // all others there ever were
    std::map<std::int64_t, Task*> running_;
    std::vector<Reopening> reopening_;
    std::string reopen_reason_;
    std::int64_t links_ = 0;
    bool has_connection_ = false;
    bool connecting_ = false; // `connect` has no answer yet
    bool open_ = false;
    bool opened_once_ = false;
    bool closing_ = false;
    bool asked_to_close_ = false;
    std::int64_t close_id_ = 0;
};

// ---------------------------------------------------------------------------------------- threads

void Client::on_container_start(proton::container&) {
    std::thread([this] { read(); }).detach();
}

void Client::read() {
    std::string text;
    while (std::getline(std::cin, text)) {
        if (text.find_first_not_of(" \t\r") != std::string::npos) {
            later(0, [this, text] { line(text); });
        }
    }
    later(0, [this] { close(false, 0); });
}

void Client::later(int ms, std::function<void()> call) {
    container_.schedule(proton::duration(static_cast<std::uint64_t>(ms)), [this, call] {
        call();
        if (open_) {
            connection_.wake();
        }
    });
}

std::string Client::link_name(std::int64_t task) {
    links_++;
    return unique_ + '-' + std::to_string(task) + '-' + std::to_string(links_);
}

// --------------------------------------------------------------------------------------- requests

void Client::line(const std::string& text) {
    const json request = json::parse(text, nullptr, false);
    if (!request.is_object() || !request.contains("id") || !request["id"].is_number_integer() ||
        !request.contains("type") || !request["type"].is_string()) {
        report_.error(0, false, "invalid_argument: not a request: " + text.substr(0, 200));
        return;
    }
    try {
        carry_out(request["type"], request);
    } catch (const std::exception& error) { // a bad request must not end the program
        report_.reply("failed", request["id"], {{"reason", error.what()}});
    }
}

void Client::carry_out(const std::string& type, const json& request) {
    if (type == "init") {
        init(request);
    } else if (type == "connect") {
        connect(request);
    } else if (type == "declare" || type == "send" || type == "receive" || type == "drain" ||
               type == "put" || type == "take") {
        begin(type, request);
    } else if (type == "settle") {
        settle(request);
    } else if (type == "stop") {
        stop(request);
    } else if (type == "close") {
        close(true, request["id"]);
    } else {
        report_.reply("unsupported", request["id"], {{"request", type}, {"reason", "no such request"}});
    }
}

void Client::init(const json& request) {
    if (request.value("protocol", 0) != PROTOCOL) {
        report_.reply("failed", request["id"], {{"reason", "speaks protocol " + std::to_string(PROTOCOL) + " only"}});
        return;
    }
    unique_ = request.value("name", "cpp-proton") + '-' + std::to_string(getpid()) + '-' + std::to_string(now_ns());
    const std::string library =
        std::to_string(PN_VERSION_MAJOR) + '.' + std::to_string(PN_VERSION_MINOR) + '.' + std::to_string(PN_VERSION_POINT);
    utsname machine{};
    uname(&machine);
    const json versions{{"qpid-proton-cpp", library},
                        {"c++", std::to_string(__cplusplus)},
                        {"machine", std::string(machine.sysname) + ' ' + machine.release}};
    report_.reply("init_ok", request["id"],
                  {{"client", "cpp-proton"},
                   {"protocol", PROTOCOL},
                   {"versions", versions},
                   {"capabilities", CAPABILITIES},
                   {"now_ns", now_ns()}});
}

void Client::connect(const json& request) {
    const std::string failover = request.value("failover", "addresses");
    if (failover != "addresses" && failover != "exchange") {
        report_.reply("unsupported", request["id"], {{"request", "connect"}, {"reason", "failover " + failover}});
        return;
    }
    if (has_connection_) {
        throw std::logic_error("already connected");
    }
    wanted_options_ = options(request);
    wanted_ = request;
    connecting_ = true;
    if (failover == "exchange") {
        members_ = std::make_unique<MembersTask>(*this, [this](const auto& urls) { told(urls); });
        running_[members_->id()] = members_.get();
    }
    open_connection();
}

// The next try, and those after it, go to these.
void Client::told(const std::vector<std::string>& urls) {
    wanted_options_.failover_urls(urls);
    connection_.update_options(proton::connection_options().failover_urls(urls));
}

void Client::open_connection() {
    connection_ = container_.connect("amqp://" + wanted_["addresses"][0].get<std::string>(), wanted_options_);
    has_connection_ = true;
}

// Throws invalid_argument for options that the library does not know.
proton::connection_options Client::options(const json& request) const {
    proton::connection_options options;
    options.container_id(unique_).sasl_allow_insecure_mechs(true);
    const int heartbeat_s = request.value("heartbeat_s", 0);
    if (heartbeat_s > 0) { // enforced as given, half of it is told to the broker, which sends twice in that time
        options.idle_timeout(proton::duration(static_cast<std::uint64_t>(2000 * heartbeat_s)));
    }
    const auto addresses = request.at("addresses").get<std::vector<std::string>>();
    if (request.value("reconnect", true)) {
        std::vector<std::string> others;
        for (std::size_t i = 1; i < addresses.size(); i++) {
            others.push_back("amqp://" + addresses[i]);
        }
        proton::reconnect_options reconnect;
        reconnect.delay(proton::duration(RETRY_MS)).max_delay(proton::duration(RETRY_MAX_MS));
        options.reconnect(reconnect).failover_urls(others);
    }
    const json given = request.value("options", json::object());
    for (const auto& [name, value] : given.items()) {
        const std::string text = value;
        if (name == "username") {
            options.user(text);
        } else if (name == "password") {
            options.password(text);
        } else if (name == "virtual_host") {
            options.virtual_host(text);
        } else if (name == "sasl_enabled") {
            options.sasl_enabled(text == "true");
        } else if (name == "sasl_allowed_mechs") {
            options.sasl_allowed_mechs(text);
        } else if (name == "max_frame_size") {
            options.max_frame_size(static_cast<std::uint32_t>(std::stoul(text)));
        } else {
            throw std::invalid_argument("unknown option " + name);
        }
    }
    return options;
}

// Begins a task or a declaration.
void Client::begin(const std::string& type, const json& request) {
    if (!opened_once_) {
        throw std::logic_error("not connected");
    }
    const json transaction = request.value("transaction", json(false)); // of a `send` it is a number
    if (transaction != json(false) && transaction != json(0)) {
        const std::string reason = "Proton C++ of this version has no transactions";
        report_.reply("unsupported", request["id"], {{"request", type}, {"reason", reason}});
        return;
    }
    std::unique_ptr<Task> task;
    if (type == "declare") {
        task = std::make_unique<DeclareTask>(*this, request);
    } else if (type == "send") {
        task = std::make_unique<SendTask>(*this, request);
    } else if (type == "put") {
        task = std::make_unique<PutTask>(*this, request);
    } else if (type == "take") {
        task = std::make_unique<TakeTask>(*this, request);
    } else {
        task = std::make_unique<ReceiveTask>(*this, request);
    }
    if (!task->is_answering()) {
        report_.reply("done", request["id"]);
    }
    running_[task->id()] = task.get();
    if (open_) {
        task->attach(connection_);
    }
    tasks_.push_back(std::move(task));
}

std::vector<Task*> Client::running() const {
    std::vector<Task*> tasks;
    for (const auto& [id, task] : running_) {
        tasks.push_back(task);
    }
    return tasks;
}

void Client::settle(const json& request) {
    const auto found = running_.find(request.at("task"));
    auto* task = found == running_.end() ? nullptr : dynamic_cast<ReceiveTask*>(found->second);
    if (task == nullptr || !task->holds()) {
        throw std::logic_error("no such task that holds messages");
    }
    task->settle(request);
}

void Client::stop(const json& request) {
    report_.reply("done", request["id"]);
    const std::int64_t number = request.value("task", std::int64_t{0});
    for (Task* task : running()) {
        if (number == 0 || number == task->id()) {
            task->stop();
        }
    }
}

// Ends the process; `asked` is false when the input has ended.
void Client::close(bool asked, std::int64_t id) {
    if (closing_) {
        return;
    }
    closing_ = true;
    asked_to_close_ = asked;
    close_id_ = id;
    for (Task* task : running()) {
        task->stop();
    }
    await_tasks(now_ns() + TASKS_MS * std::int64_t{1'000'000});
}

// Gives the tasks time to end, then closes the connection.
void Client::await_tasks(std::int64_t deadline) {
    if (!running_.empty() && open_ && now_ns() < deadline) {
        later(20, [this, deadline] { await_tasks(deadline); });
        return;
    }
    for (Task* task : running()) {
        task->end("stopped");
    }
    if (!open_) {
        leave();
    }
    connection_.close();
    later(CLOSE_MS, [this] { leave(); });
}

void Client::leave() {
    if (asked_to_close_) {
        report_.reply("done", close_id_);
    }
    report_.flush();
    std::_Exit(0); // the library may have timers and connections that nobody wants any more
}

// ------------------------------------------------------------------------------------- connection

void Client::on_connection_open(proton::connection& connection) {
    if (!(connection == connection_) || !has_connection_) {
        return;
    }
    open_ = true;
    if (connecting_) {
        connecting_ = false;
        opened_once_ = true;
        report_.reply("done", wanted_["id"]);
    } else {
        report_.event("reconnected", {{"address", ""}}); // the library does not tell which
    }
    for (const auto& [task, in_doubt] : reopening_) {
        if (!task->is_over()) {
            report_.event("reopened", {{"task", task->id()}, {"reason", reopen_reason_}, {"in_doubt", in_doubt}});
        }
    }
    reopening_.clear();
    for (Task* task : running()) {
        task->attach(connection_);
    }
}

void Client::on_transport_error(proton::transport& transport) {
    if (!has_connection_ || !(transport.connection() == connection_)) {
        return;
    }
    const std::string reason = transport.error().what();
    std::cerr << "transport: " << reason << std::endl;
    lost(reason);
}

// The library makes no other try.
void Client::on_transport_close(proton::transport& transport) {
    if (has_connection_ && transport.connection() == connection_) {
        const std::string reason = transport.error().what();
        gave_up(reason.empty() ? "the connection is closed" : reason);
    }
}

// The broker closed the connection with a reason that the library holds for final.
void Client::on_connection_error(proton::connection& connection) {
    if (has_connection_ && connection == connection_) {
        gave_up(connection.error().what());
    }
}

void Client::on_connection_close(proton::connection& connection) {
    if (!has_connection_ || !(connection == connection_)) {
        return;
    }
    if (closing_) {
        leave();
    }
    gave_up("the broker closed the connection");
}

void Client::on_session_error(proton::session& session) {
    if (has_connection_ && session.connection() == connection_) {
        gave_up(session.error().what());
    }
}

// Whatever has no handler of its own; without this one the library would throw.
void Client::on_error(const proton::error_condition& error) { std::cerr << "error: " << error.what() << std::endl; }

void Client::link_failed(std::int64_t number, const std::string& reason) {
    Task* task = running_.at(number);
    if (task->is_answering()) {
        task->end(reason);
    } else if (wanted_.value("reopen", false)) {
        gave_up(reason);
    } else {
        report_.error(number, true, reason);
        task->end("error");
    }
}

void Client::lost(const std::string& reason) {
    if (!open_) {
        return;
    }
    open_ = false;
    for (Task* task : running()) {
        task->detach();
    }
    report_.event("disconnected", {{"reason", reason}});
}

// This connection will not come back.
void Client::gave_up(const std::string& reason) {
    if (closing_) {
        return;
    }
    const bool was_open = open_;
    has_connection_ = false;
    lost(reason);
    connection_.close();
    if (connecting_) {
        connecting_ = false;
        report_.reply("failed", wanted_["id"], {{"reason", reason}});
    } else if (wanted_.value("reopen", false) && (!was_open || may_go_on(reason))) {
        later(RETRY_MS, [this] {
            if (!closing_) {
                open_connection();
            }
        });
    } else {
        report_.error(0, true, reason);
        for (Task* task : running()) {
            task->end("error");
        }
    }
}

// Every task prepares for the next connection; false if one was brought no further by many.
bool Client::may_go_on(const std::string& reason) {
    bool all = true;
    for (Task* task : running()) {
        all = task->may_go_on() && all;
    }
    if (all) {
        reopen_reason_ = reason;
        for (Task* task : running()) {
            const std::int64_t in_doubt = task->doubt(reason);
            if (!task->is_answering()) {
                reopening_.push_back({task, in_doubt});
            }
        }
    }
    return all;
}

} // namespace

} // namespace tanist

int main() {
    try {
        tanist::Client client;
        client.run();
    } catch (const std::exception& error) {
        std::cerr << "cpp-proton: " << error.what() << std::endl;
        return 1;
    }
    return 0;
}
