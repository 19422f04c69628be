package tanist.client;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.qpid.client.AMQConnection;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * A client program of the drill: Apache Qpid JMS for AMQP 0-x (AMQP 0-10).
 *
 * <p>Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md
 * says; free text goes to stderr. Started by {@code run}.
 */
public final class Main {
    private static final int PROTOCOL = 2;
    private static final long CLOSE_MS = 1000; // each for the tasks and for the connection
    private static final List<String> CAPABILITIES =
            List.of("send", "receive", "heartbeat", "reconnect", "resend", "redelivered",
                    "connection_events", "failover_exchange", "reopen", "hold",
                    "transaction", "selector", "subscribe", "values", "auth");

    /** Something that a request asks for and that may take long. */
    private interface Action {
        void run() throws Exception;
    }

    private final Reporter report;
    private final Link link;
    private final Tasks tasks;
    private final Values values = new Values();
    private String name = "jms-0-10";
    private boolean connecting;

    private Main(Reporter report) {
        this.report = report;
        link = new Link(report);
        tasks = new Tasks(report, link);
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        Reporter report = new Reporter(new FileOutputStream(FileDescriptor.out));
        System.setOut(System.err); // whatever a library prints must not break the protocol
        Main main = new Main(report);
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.isBlank()) {
                main.request(line);
            }
        }
        main.close();
    }

    private void request(String line) throws InterruptedException {
        JSONObject request;
        long id;
        String type;
        try {
            request = new JSONObject(line);
            id = request.getLong("id");
            type = request.getString("type");
        } catch (JSONException error) {
            report.error(0, false, "JSONException: not a request: " + line);
            return;
        }
        try {
            carryOut(type, id, request);
        } catch (RuntimeException error) {
            failed(id, error);
        }
    }

    private void carryOut(String type, long id, JSONObject request) throws InterruptedException {
        switch (type) {
            case "init" -> init(id, request);
            case "connect" -> connect(id, request);
            case "declare" -> {
                link.connection();
                boolean durable = request.optBoolean("durable", false);
                String queue = request.getString("queue");
                inThread(id, () -> Tasks.declare(link, queue, durable));
            }
            case "send", "receive", "drain" -> tasks.begin(request);
            case "settle" -> tasks.settle(request);
            case "put" -> inThread(id, () -> values.put(link, request));
            case "take" -> take(id, request);
            case "stop" -> {
                report.reply("done", id);
                tasks.stop(request.optLong("task", 0));
            }
            case "close" -> {
                shutDown();
                report.reply("done", id);
                Runtime.getRuntime().halt(0); // threads of the library may be blocked for good
            }
            default -> report.reply("unsupported", id, "request", type, "reason", "no such request");
        }
    }

    private void failed(long id, Exception error) {
        report.reply("failed", id, "reason", Tasks.describe(error));
    }

    private void init(long id, JSONObject request) {
        if (request.optInt("protocol") != PROTOCOL) {
            report.reply("failed", id, "reason", "speaks protocol " + PROTOCOL + " only");
            return;
        }
        name = request.optString("name", name);
        JSONObject versions = new JSONObject();
        String library = AMQConnection.class.getPackage().getImplementationVersion();
        versions.put("qpid-client", library == null ? "6.4.0" : library);
        versions.put("java", System.getProperty("java.version"));
        versions.put("machine", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        report.reply("init_ok", id, "client", "jms-0-10", "protocol", PROTOCOL, "versions", versions,
                "capabilities", new JSONArray(CAPABILITIES), "now_ns", System.nanoTime());
    }

    private void connect(long id, JSONObject request) {
        String failover = request.optString("failover", "addresses");
        if (!List.of("addresses", "exchange").contains(failover)) {
            report.reply("unsupported", id, "request", "connect", "reason", "failover " + failover);
            return;
        }
        if (connecting) {
            throw new IllegalStateException("already connected");
        }
        // Brokers know sessions by client id: two programs must not share one.
        String unique = ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime());
        String url = Link.url(name.replaceAll("[^A-Za-z0-9-]", "-") + "-" + unique, request);
        connecting = true;
        inThread(id, () -> {
            try {
                link.open(url, request.optBoolean("reopen", false));
            } catch (Exception error) {
                connecting = false;
                throw error;
            }
        });
    }

    private void take(long id, JSONObject request) {
        Thread thread = new Thread(() -> {
            try {
                report.reply("taken", id, "value", values.take(link, request));
            } catch (Exception error) {
                failed(id, error);
            }
        }, "take-" + id);
        thread.setDaemon(true);
        thread.start();
    }

    private void inThread(long id, Action action) {
        Thread thread = new Thread(() -> {
            try {
                action.run();
            } catch (Notation.Unsupported error) {
                report.reply("unsupported", id, "request", "put", "reason", error.getMessage());
                return;
            } catch (Exception error) {
                failed(id, error);
                return;
            }
            report.reply("done", id);
        }, "request-" + id);
        thread.setDaemon(true);
        thread.start();
    }

    private void close() throws InterruptedException {
        shutDown();
        Runtime.getRuntime().halt(0);
    }

    private void shutDown() throws InterruptedException {
        tasks.close(CLOSE_MS);
        Thread closing = new Thread(() -> {
            try {
                link.close();
            } catch (Exception error) {
                System.err.println("close: " + Tasks.describe(error));
            }
        });
        closing.setDaemon(true);
        closing.start();
        closing.join(CLOSE_MS);
        report.flush();
    }
}
