package tanist.client;

import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Date;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * Values of {@code put} and {@code take}: between the notation of docs/client-protocol.md and what Java has
 * for the types. A subclass adds the types of its library.
 */
class Notation {
    /** Of the property, or of the entry of a map, that has the value. */
    static final String KEY = "value";

    static final HexFormat HEX = HexFormat.of();

    /** The library cannot send this. */
    static final class Unsupported extends Exception {
        private static final long serialVersionUID = 1;

        Unsupported(String reason) {
            super(reason);
        }
    }

    /** What the library sends as this value. */
    Object read(JSONObject value) throws Unsupported {
        String type = value.getString("type");
        switch (type) {
            case "list", "array", "map", "described":
                return compound(type, value.getJSONArray("value"));
            default:
                return scalar(type, value.getString("value"));
        }
    }

    Object compound(String type, JSONArray parts) throws Unsupported {
        if (type.equals("map")) {
            Map<Object, Object> map = new LinkedHashMap<>();
            for (int i = 0; i < parts.length(); i++) {
                JSONArray pair = parts.getJSONArray(i);
                map.put(read(pair.getJSONObject(0)), read(pair.getJSONObject(1)));
            }
            return map;
        }
        if (!type.equals("list")) {
            throw new Unsupported("the library sends nothing as " + type);
        }
        List<Object> list = new ArrayList<>();
        for (int i = 0; i < parts.length(); i++) {
            list.add(read(parts.getJSONObject(i)));
        }
        return list;
    }

    Object scalar(String type, String text) throws Unsupported {
        return switch (type) {
            case "null" -> null;
            case "boolean" -> Boolean.valueOf(text);
            case "byte" -> Byte.valueOf(text);
            case "short" -> Short.valueOf(text);
            case "int" -> Integer.valueOf(text);
            case "long" -> Long.valueOf(text);
            case "float" -> Float.intBitsToFloat(Integer.parseUnsignedInt(text, 16));
            case "double" -> Double.longBitsToDouble(Long.parseUnsignedLong(text, 16));
            case "char" -> character(Integer.parseInt(text));
            case "uuid" -> UUID.fromString(text);
            case "binary" -> HEX.parseHex(text);
            case "string" -> text;
            default -> throw new Unsupported("the library sends nothing as " + type);
        };
    }

    private static Character character(int code) throws Unsupported {
        if (code > Character.MAX_VALUE) {
            throw new Unsupported("a Java char has 16 bits");
        }
        return (char) code;
    }

    /** What the library handed out, with the type that it has there. */
    JSONObject write(Object given) {
        if (given instanceof List<?> list) {
            return list("list", list);
        }
        if (given instanceof Map<?, ?> map) {
            JSONArray pairs = new JSONArray();
            map.forEach((key, item) -> pairs.put(new JSONArray().put(write(key)).put(write(item))));
            return new JSONObject().put("type", "map").put("value", pairs);
        }
        if (given != null && given.getClass().isArray() && !(given instanceof byte[])) {
            List<Object> parts = new ArrayList<>();
            for (int i = 0; i < Array.getLength(given); i++) {
                parts.add(Array.get(given, i));
            }
            return list("array", parts);
        }
        return simple(given);
    }

    JSONObject list(String type, List<?> parts) {
        JSONArray written = new JSONArray();
        parts.forEach(part -> written.put(write(part)));
        return new JSONObject().put("type", type).put("value", written);
    }

    /** Of what is no compound. */
    JSONObject simple(Object given) {
        if (given == null) {
            return typed("null", "");
        } else if (given instanceof Boolean) {
            return typed("boolean", given);
        } else if (given instanceof Byte) {
            return typed("byte", given);
        } else if (given instanceof Short) {
            return typed("short", given);
        } else if (given instanceof Integer) {
            return typed("int", given);
        } else if (given instanceof Long) {
            return typed("long", given);
        } else if (given instanceof Float number) {
            return typed("float", HEX.toHexDigits(Float.floatToRawIntBits(number)));
        } else if (given instanceof Double number) {
            return typed("double", HEX.toHexDigits(Double.doubleToRawLongBits(number)));
        } else if (given instanceof Character letter) {
            return typed("char", (int) letter);
        } else if (given instanceof Date date) {
            return typed("timestamp", date.getTime());
        } else if (given instanceof UUID) {
            return typed("uuid", given);
        } else if (given instanceof byte[] octets) {
            return typed("binary", HEX.formatHex(octets));
        } else if (given instanceof ByteBuffer octets) {
            byte[] copy = new byte[octets.remaining()];
            octets.duplicate().get(copy);
            return typed("binary", HEX.formatHex(copy));
        } else if (given instanceof String) {
            return typed("string", given);
        }
        throw new IllegalArgumentException("the library handed out a " + given.getClass().getName());
    }

    static JSONObject typed(String type, Object value) {
        return new JSONObject().put("type", type).put("value", value.toString());
    }
}
