import java.io.StringReader;
import java.util.*;

// Writes golden.txt: texts and what java.util.Properties.load makes of them.
//
//   java Load.java > golden.txt
//
// A case is a line with the text and one with its settings, sorted by key, as
// key, tab, value, tab, and so on, or the word error. Whatever is not printable ASCII,
// and backslashes, stand as \XXXX, in hexadecimal, by units of UTF-16.
public class Load {
    static final String[] BY_HAND = {
        "", "\n", "a", "a=", "=b", "a=b", "a = b ", "a:b=c", "a b", "a\t:  b c", "a = = b", "a  :  : b",
        "# c\n! d\n\n  e=f", "  # c \\\na=b", "a=b#c", "a=b\r\nc=d\re=f", "a=b,\\\n   c\nd=e", "a=b\\\\\nc=d",
        "a=b\\\\\\\nc=d", "a=b\\", "a=b\\\n", "a=b\\\n\nc=d", "a=b\\\n# c", "a=b\\\r\n c", "\\\n# c", "\\\n\\\na=b",
        "a\\=b\\:c=d", "a\\ b=c", "a=C:\\\\zk\\tx", "a=\\u0041\\u00e9", "a=\\u00", "a=\\uxyzw", "a=\\ud83d\\ude00",
        "a=\\z\\q\\\"", "\\u0061=b", "a\\u003db=c", "a=1\nb=2\na=3", "\f a\f=\fb\f", "a\\\nb=c", "a\\\n =c", "ü=\ud83d\ude00",
        "server.1=h:1:2:participant;0.0.0.0:2181\nversion=100000000",
    };
    static final char[] ALPHABET = "aabu0014tnrf==::  \t\f\\\\\\\\\n\n\r##!é".toCharArray();

    public static void main(String[] args) throws Exception {
        for (String text : BY_HAND) record(text);
        Random random = new Random(1);
        for (int i = 0; i < 1000; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = 1 + random.nextInt(24); n > 0; n--) text.append(ALPHABET[random.nextInt(ALPHABET.length)]);
            record(text.toString());
        }
    }

    static void record(String text) throws Exception {
        Properties p = new Properties();
        StringBuilder out = new StringBuilder();
        try {
            p.load(new StringReader(text));
            for (Map.Entry<Object, Object> e : new TreeMap<Object, Object>(p).entrySet())
                out.append(show((String) e.getKey())).append('\t').append(show((String) e.getValue())).append('\t');
        } catch (IllegalArgumentException e) {
            out.append("error");
        }
        System.out.println(show(text));
        System.out.println(out);
    }

    static String show(String s) {
        StringBuilder b = new StringBuilder();
        for (char c : s.toCharArray()) {
            if (c < ' ' || c > '~' || c == '\\') b.append(String.format("\\%04x", (int) c));
            else b.append(c);
        }
        return b.toString();
    }
}
