package tanist.client;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * What the program says: replies and events of docs/client-protocol.md, one JSON line each.
 *
 * <p>Events about messages are collected and written at most 20 ms or 500 messages later, as ranges
 * of sequence numbers; everything else is written at once, after all that was collected before it.
 */
final class Reporter {
    private static final long BATCH_MS = 20;
    private static final int BATCH_MESSAGES = 500;

    /** A flush writes in this order: what is received before what is acknowledged. */
    private static final List<String> RANK = List.of("received", "settled", "acked", "ok", "fail", "info");

    private record Key(String type, long task, String producer) {}

    private static final class Batch {
        final long since = System.nanoTime();
        final Map<String, Object> extra;
        final List<long[]> ranges = new ArrayList<>();

        Batch(Map<String, Object> extra) {
            this.extra = extra;
        }

        void add(long sn) {
            long[] last = ranges.isEmpty() ? null : ranges.get(ranges.size() - 1);
            if (last != null && last[1] + 1 == sn) {
                last[1] = sn;
            } else {
                ranges.add(new long[] {sn, sn});
            }
        }
    }

    private final PrintStream out;
    private final Map<Key, Batch> collected = new LinkedHashMap<>();
    private int messages;

    Reporter(OutputStream stream) {
        out = new PrintStream(stream, false, StandardCharsets.UTF_8);
        Thread flusher = new Thread(this::flushInTime, "reporter");
        flusher.setDaemon(true);
        flusher.start();
    }

    /** {@code fields} are name, value, name, value... */
    void reply(String type, long inReplyTo, Object... fields) {
        writeNow(object(type, fields).put("in_reply_to", inReplyTo));
    }

    void event(String type, Object... fields) {
        writeNow(object(type, fields).put("t", System.nanoTime()));
    }

    void invoke(long task, String producer, long first, long last) {
        List<long[]> ranges = List.of(new long[] {first, last});
        event("invoke", "task", task, "producer", producer, "sns", array(ranges));
    }

    void error(long task, boolean fatal, String text) {
        event("error", "task", task, "fatal", fatal, "text", text);
    }

    /** Collects the outcome or reception of one message. */
    synchronized void message(
            String type, long task, String producer, long sn, Map<String, Object> extra) {
        Key key = new Key(type, task, producer);
        Batch batch = collected.get(key);
        if (batch != null && !batch.extra.equals(extra)) {
            flush();
            batch = null;
        }
        if (batch == null) {
            batch = new Batch(extra);
            collected.put(key, batch);
            notifyAll();
        }
        batch.add(sn);
        messages++;
        if (messages >= BATCH_MESSAGES) {
            flush();
        }
    }

    synchronized void flush() {
        if (collected.isEmpty()) {
            return;
        }
        List<Map.Entry<Key, Batch>> entries = new ArrayList<>(collected.entrySet());
        entries.sort(Comparator.comparingInt(entry -> RANK.indexOf(entry.getKey().type())));
        StringBuilder lines = new StringBuilder();
        for (Map.Entry<Key, Batch> entry : entries) {
            Key key = entry.getKey();
            Batch batch = entry.getValue();
            JSONObject line = new JSONObject(batch.extra);
            line.put("type", key.type()).put("t", batch.since).put("task", key.task());
            line.put("producer", key.producer()).put("sns", array(batch.ranges));
            lines.append(line).append('\n');
        }
        collected.clear();
        messages = 0;
        out.print(lines);
        out.flush();
    }

    private synchronized void writeNow(JSONObject line) {
        flush();
        out.print(line + "\n");
        out.flush();
    }

    private void flushInTime() {
        try {
            while (true) {
                synchronized (this) {
                    while (collected.isEmpty()) {
                        wait();
                    }
                }
                Thread.sleep(BATCH_MS);
                flush();
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    private static JSONObject object(String type, Object... fields) {
        JSONObject object = new JSONObject().put("type", type);
        for (int i = 0; i < fields.length; i += 2) {
            object.put((String) fields[i], fields[i + 1]);
        }
        return object;
    }

    private static JSONArray array(List<long[]> ranges) {
        JSONArray array = new JSONArray();
        for (long[] range : ranges) {
            array.put(new JSONArray().put(range[0]).put(range[1]));
        }
        return array;
    }
}
