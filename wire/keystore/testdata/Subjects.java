import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.security.auth.x500.X500Principal;

/**
 * Prints pairs of lines: the bytes of a name in base64, and the text that
 * X500Principal.getName() gives for it, as a Java string literal.
 */
class Subjects {
    static byte[] tlv(int tag, byte[]... parts) {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (byte[] p : parts) body.writeBytes(p);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        int n = body.size();
        if (n < 128) out.write(n);
        else if (n < 256) { out.write(0x81); out.write(n); }
        else { out.write(0x82); out.write(n >> 8); out.write(n); }
        out.writeBytes(body.toByteArray());
        return out.toByteArray();
    }

    static byte[] oid(int... rest) {
        byte[] b = new byte[rest.length];
        for (int i = 0; i < b.length; i++) b[i] = (byte) rest[i];
        return tlv(6, b);
    }

    static final byte[] CN = oid(0x55, 4, 3), C = oid(0x55, 4, 6), O = oid(0x55, 4, 10), OU = oid(0x55, 4, 11), L = oid(0x55, 4, 7),
        ST = oid(0x55, 4, 8), STREET = oid(0x55, 4, 9), SERIAL = oid(0x55, 4, 5), TITLE = oid(0x55, 4, 12),
        DC = oid(0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 0x19), UID = oid(0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1),
        EMAIL = oid(0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1);
    static final int UTF8 = 12, PRINTABLE = 19, T61 = 20, IA5 = 22, GENERAL = 27, BMP = 30, VISIBLE = 26, UNIVERSAL = 28;

    static byte[] ava(byte[] type, int tag, String text) throws Exception {
        String charset = switch (tag) {
            case UTF8 -> "UTF-8";
            case BMP -> "UTF-16BE";
            case UNIVERSAL -> "UTF-32BE";
            case PRINTABLE, IA5, VISIBLE -> "US-ASCII";
            default -> "ISO-8859-1";
        };
        return tlv(0x30, type, tlv(tag, text.getBytes(charset)));
    }

    static byte[] rdn(byte[]... avas) { return tlv(0x31, avas); }

    static void show(byte[]... rdns) {
        byte[] der = tlv(0x30, rdns);
        StringBuilder s = new StringBuilder("\"");
        for (char c : new X500Principal(der).getName().toCharArray()) {
            if (c == '"' || c == '\\') s.append('\\').append(c);
            else if (c < ' ' || c > '~') s.append(String.format("\\u%04x", (int) c));
            else s.append(c);
        }
        System.out.println(Base64.getEncoder().encodeToString(der));
        System.out.println(s.append('"'));
    }

    public static void main(String[] args) throws Exception {
        show();
        show(rdn(ava(C, PRINTABLE, "DE")), rdn(ava(O, UTF8, "Example GmbH")), rdn(ava(OU, UTF8, "Ops")), rdn(ava(CN, UTF8, "zk1.example.com")));
        show(rdn(ava(DC, IA5, "com")), rdn(ava(DC, IA5, "example")), rdn(ava(UID, UTF8, "u1")), rdn(ava(CN, UTF8, "User One")));
        show(rdn(ava(ST, UTF8, "Bavaria")), rdn(ava(L, UTF8, "Munich")), rdn(ava(STREET, UTF8, "Main St. 1")), rdn(ava(CN, UTF8, "x")));
        show(rdn(ava(EMAIL, IA5, "a@b.c")), rdn(ava(CN, UTF8, "mail")));
        show(rdn(ava(SERIAL, PRINTABLE, "42")), rdn(ava(TITLE, UTF8, "Dr")), rdn(ava(CN, UTF8, "x")));
        show(rdn(ava(CN, UTF8, "a"), ava(OU, UTF8, "b"), ava(UID, UTF8, "c")), rdn(ava(O, UTF8, "multi")));
        show(rdn(ava(CN, UTF8, "z"), ava(C, PRINTABLE, "AA")));
        List<String> texts = new ArrayList<>(List.of("", " ", "  ", " lead", "trail ", "  both  ", "in  side", "a,b", "a=b", "a+b", "a<b>c", "#lead", "in#side", "a;b",
            "q\"q", "back\\slash", "a/b:c'd(e)-f.g?h", "under_score", "at@sign", "star*", "amp&", "tab\there", "new\nline", "\nlead", "cr\r", "nul\u0000in",
            "\u00fcml\u00e4ut", "\u65e5\u672c\u8a9e", "\ud83d\ude00 emoji", "e\u0301", "\u00a0nbsp\u00a0", "~tilde^caret|pipe{brace}[bracket]`tick$dollar%percent!bang", "x".repeat(200)));
        for (String t : texts) {
            show(rdn(ava(CN, UTF8, t)));
            show(rdn(ava(CN, BMP, t)));
        }
        for (String t : List.of("plain", "a b", " x ", "a,b", "#x", "at@", "\u00fcml\u00e4ut", "under_score"))
            for (int tag : new int[] {PRINTABLE, T61, IA5, GENERAL, VISIBLE, UNIVERSAL}) show(rdn(ava(O, tag, t)));
        show(rdn(tlv(0x30, CN, tlv(2, new byte[] {5}))), rdn(tlv(0x30, OU, tlv(3, new byte[] {0, 1}))));
        show(rdn(tlv(0x30, CN, tlv(UTF8, new byte[] {(byte) 0xc3, 0x28, 'a'}))));
        show(rdn(tlv(0x30, oid(0x2A, 3, 0x84, 0x12), tlv(UTF8, "own".getBytes()))));
    }
}
