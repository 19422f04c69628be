package tanist.client;

import java.lang.reflect.Field;
import org.apache.qpid.transport.Option;
import org.apache.qpid.transport.Session;

/**
 * What the broker has completed of one session's commands.
 *
 * <p>JMS tells only that a blocking {@code sync} returned, which would make every window a full
 * stop. The library's transport session knows the exact mark (commands up to {@code maxComplete}
 * are completed, through failovers too), and keeps it private: it is read here, under the library's
 * own lock, and nothing is changed.
 */
final class Completions {
    private final Session session;
    private final Object lock;
    private final Field mark;

    Completions(javax.jms.Session jms) throws ReflectiveOperationException {
        session = (Session) field(jms.getClass(), "_qpidSession").get(jms);
        lock = field(Session.class, "commandsLock").get(session);
        mark = field(Session.class, "maxComplete");
    }

    private static Field field(Class<?> owner, String name) throws NoSuchFieldException {
        Field field = owner.getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    /** The number of the command that was sent last. */
    int lastSent() {
        synchronized (lock) {
            return session.getCommandsOut() - 1;
        }
    }

    /** Every command up to this number is completed. */
    int completed() throws IllegalAccessException {
        synchronized (lock) {
            return mark.getInt(session);
        }
    }

    /** Waits at most {@code ms} for more to be completed than {@code known}. */
    int await(int known, long ms) throws IllegalAccessException, InterruptedException {
        synchronized (lock) {
            if (mark.getInt(session) == known) {
                lock.wait(ms);
            }
            return mark.getInt(session);
        }
    }

    /** Asks the broker to complete all that was sent, without waiting. */
    void ask() {
        session.executionSync(Option.SYNC);
    }
}
