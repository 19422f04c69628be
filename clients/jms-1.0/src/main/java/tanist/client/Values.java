package tanist.client;

import jakarta.jms.BytesMessage;
import jakarta.jms.JMSException;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageEOFException;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Session;
import jakarta.jms.StreamMessage;
import jakarta.jms.TextMessage;
import java.io.Serializable;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Date;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.qpid.proton.amqp.Binary;
import org.apache.qpid.proton.amqp.Decimal128;
import org.apache.qpid.proton.amqp.Decimal32;
import org.apache.qpid.proton.amqp.Decimal64;
import org.apache.qpid.proton.amqp.DescribedType;
import org.apache.qpid.proton.amqp.Symbol;
import org.apache.qpid.proton.amqp.UnsignedByte;
import org.apache.qpid.proton.amqp.UnsignedInteger;
import org.apache.qpid.proton.amqp.UnsignedLong;
import org.apache.qpid.proton.amqp.UnsignedShort;
import org.json.JSONArray;
import org.json.JSONObject;

/** Sends and receives messages that carry a value, with the library's typed object messages. */
final class Values extends Notation {
    /** Makes the library encode an object by the types of AMQP, not by Java's serialisation. */
    private static final String TYPED = "JMS_AMQP_TYPED_ENCODING";

    private record Described(Object getDescriptor, Object getDescribed) implements DescribedType {}

    @Override
    Object scalar(String type, String text) throws Unsupported {
        return switch (type) {
            case "ubyte" -> UnsignedByte.valueOf(text);
            case "ushort" -> UnsignedShort.valueOf(text);
            case "uint" -> UnsignedInteger.valueOf(text);
            case "ulong" -> UnsignedLong.valueOf(new BigInteger(text));
            case "decimal32" -> new Decimal32(Integer.parseUnsignedInt(text, 16));
            case "decimal64" -> new Decimal64(Long.parseUnsignedLong(text, 16));
            case "decimal128" -> new Decimal128(HEX.parseHex(text));
            case "timestamp" -> new Date(Long.parseLong(text));
            case "binary" -> new Binary(HEX.parseHex(text));
            case "symbol" -> Symbol.valueOf(text);
            default -> super.scalar(type, text);
        };
    }

    @Override
    Object compound(String type, JSONArray parts) throws Unsupported {
        if (type.equals("described")) {
            return new Described(read(parts.getJSONObject(0)), read(parts.getJSONObject(1)));
        }
        if (type.equals("array")) {
            Integer[] array = new Integer[parts.length()];
            for (int i = 0; i < array.length; i++) {
                if (!(read(parts.getJSONObject(i)) instanceof Integer number)) {
                    throw new Unsupported("arrays of int only");
                }
                array[i] = number;
            }
            return array;
        }
        return super.compound(type, parts);
    }

    @Override
    JSONObject simple(Object given) {
        if (given instanceof UnsignedByte) {
            return typed("ubyte", given);
        } else if (given instanceof UnsignedShort) {
            return typed("ushort", given);
        } else if (given instanceof UnsignedInteger) {
            return typed("uint", given);
        } else if (given instanceof UnsignedLong) {
            return typed("ulong", given);
        } else if (given instanceof Decimal32 number) {
            return typed("decimal32", HEX.toHexDigits(number.getBits()));
        } else if (given instanceof Decimal64 number) {
            return typed("decimal64", HEX.toHexDigits(number.getBits()));
        } else if (given instanceof Decimal128 number) {
            return typed("decimal128", HEX.formatHex(number.asBytes()));
        } else if (given instanceof Binary octets) {
            return simple(octets.asByteBuffer());
        } else if (given instanceof Symbol) {
            return typed("symbol", given);
        } else if (given instanceof DescribedType described) {
            return list("described", List.of(described.getDescriptor(), described.getDescribed()));
        }
        return super.simple(given);
    }

    private Message message(Session session, String place, JSONObject value) throws JMSException, Unsupported {
        Object inner = read(value);
        if (place.equals("property")) {
            if (inner instanceof Binary) {
                throw new Unsupported("JMS properties are primitives and text");
            }
            Message message = session.createTextMessage("");
            try {
                message.setObjectProperty(KEY, inner);
            } catch (JMSException error) { // what the specification of JMS demands
                throw new Unsupported("JMS properties are primitives and text");
            }
            return message;
        }
        if (place.equals("map")) {
            return typed(session, new LinkedHashMap<>(java.util.Collections.singletonMap(KEY, inner)));
        }
        if (inner instanceof String text) {
            return session.createTextMessage(text);
        } else if (inner instanceof Binary octets) {
            BytesMessage message = session.createBytesMessage();
            message.writeBytes(octets.getArray());
            return message;
        } else if (inner == null || inner instanceof List || inner instanceof Map || inner instanceof Integer[]) {
            return typed(session, (Serializable) inner);
        }
        throw new Unsupported("as a body the library sends text, octets, lists, maps and arrays");
    }

    private static Message typed(Session session, Serializable object) throws JMSException {
        ObjectMessage message = session.createObjectMessage();
        message.setBooleanProperty(TYPED, true);
        message.setObject(object);
        return message;
    }

    private Object body(Message message) throws JMSException {
        if (message instanceof TextMessage text) {
            return text.getText();
        } else if (message instanceof BytesMessage octets) {
            byte[] read = new byte[(int) octets.getBodyLength()];
            octets.readBytes(read);
            return read;
        } else if (message instanceof MapMessage map) {
            Map<String, Object> entries = new LinkedHashMap<>();
            for (Enumeration<?> names = map.getMapNames(); names.hasMoreElements(); ) {
                String name = (String) names.nextElement();
                entries.put(name, map.getObject(name));
            }
            return entries;
        } else if (message instanceof StreamMessage stream) {
            return list(stream);
        } else if (message instanceof ObjectMessage object) {
            return object.getObject();
        }
        throw new JMSException("the library handed out a " + message.getClass().getSimpleName());
    }

    private static List<Object> list(StreamMessage stream) throws JMSException {
        List<Object> parts = new ArrayList<>();
        try {
            while (true) {
                parts.add(stream.readObject());
            }
        } catch (MessageEOFException end) {
            return parts;
        }
    }

    /** Returns when the broker has the message. */
    void put(Link link, JSONObject request) throws JMSException, Unsupported {
        Session session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        try (MessageProducer producer = session.createProducer(session.createQueue(request.getString("queue")))) {
            producer.send(message(session, request.getString("place"), request.getJSONObject("value")));
        } finally {
            session.close();
        }
    }

    /** The value of the next message. */
    JSONObject take(Link link, JSONObject request) throws JMSException {
        Session session = link.connection().createSession(false, Session.AUTO_ACKNOWLEDGE);
        try (MessageConsumer consumer = session.createConsumer(session.createQueue(request.getString("queue")))) {
            Message message = consumer.receive((long) (1000 * request.optDouble("timeout_s", 5)));
            if (message == null) {
                throw new JMSException("no message came");
            }
            if (request.getString("place").equals("property")) {
                return write(message.getObjectProperty(KEY));
            }
            Object body = body(message);
            return write(request.getString("place").equals("map") ? ((Map<?, ?>) body).get(KEY) : body);
        } finally {
            session.close();
        }
    }
}
