//! A place in the bytes of JSON, and the plain steps from there.

/// Values that are nested deeper are not passed over.
const MOST_NESTED: usize = 32;

/// What is left of a payload. Every step is `None` where it is not the plain JSON that is looked for.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    payload: &'a [u8],
    at: usize,
}

// A number is a dozen of these steps: a call for each would double what they take.
impl<'a> Cursor<'a> {
    /// At the start of a payload.
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// The next byte.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<u8> {
        self.payload.get(self.at).copied()
    }

    /// Passes over bytes.
    #[inline(always)]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Passes over the next byte if it is a digit.
    #[inline(always)]
    pub(super) fn digit(&mut self) -> Option<u8> {
        let digit = self.first()?.wrapping_sub(b'0');
        (digit <= 9).then(|| {
            self.advance(1);
            digit
        })
    }

    /// The next sixteen bytes as two words.
    #[inline(always)]
    pub(super) fn sixteen(&self) -> Option<[u64; 2]> {
        let (first, rest) = self.payload.get(self.at..)?.split_first_chunk()?;
        Some([u64::from_le_bytes(*first), u64::from_le_bytes(*rest.first_chunk()?)])
    }

    /// Passes over the next byte if it is this one.
    #[inline(always)]
    pub(super) fn skip_if(&mut self, byte: u8) -> bool {
        if self.first() != Some(byte) {
            return false;
        }
        self.advance(1);
        true
    }

    /// The same for what is there as often as not: without a branch.
    #[inline(always)]
    pub(super) fn skip_perhaps(&mut self, byte: u8) -> bool {
        let found = self.first() == Some(byte);
        self.advance(usize::from(found));
        found
    }

    /// This place, for [`since`](Self::since).
    #[inline(always)]
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// The text from a mark to here, if it is UTF-8.
    pub(super) fn since(&self, mark: usize) -> Option<&'a str> {
        str::from_utf8(self.payload.get(mark..self.at)?).ok()
    }

    /// The next byte that is no white space; it is not passed over.
    #[inline(always)]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.first()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.advance(1),
                byte => return Some(byte),
            }
        }
    }

    /// Passes over the next byte that is no white space.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.advance(1);
        Some(byte)
    }

    /// Passes over white space and then this byte.
    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Passes over a word such as `null`.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        let found = self.rest().starts_with(word.as_bytes());
        self.advance(word.len());
        found.then_some(())
    }

    fn rest(&self) -> &'a [u8] {
        self.payload.get(self.at..).unwrap_or_default()
    }

    /// Passes over white space up to the end.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    /// Passes over the separator after an element of a list or an object: whether another one follows.
    #[inline(always)]
    pub(super) fn another(&mut self, close: u8) -> Option<bool> {
        if self.skip_if(b',') {
            return Some(true);
        }
        match self.next()? {
            b',' => Some(true),
            byte if byte == close => Some(false),
            _ => None,
        }
    }

    /// Passes over the name of a member and its colon if it is this one.
    pub(super) fn skip_if_named(&mut self, name: &str) -> bool {
        let mut ahead = *self;
        let is = |ahead: &mut Self| {
            ahead.take(b'"')?;
            ahead.word(name)?;
            ahead.word("\"")?;
            ahead.take(b':')
        };
        let found = is(&mut ahead).is_some();
        if found {
            *self = ahead;
        }
        found
    }

    /// Passes over the name of a member and its colon. A name with an escape is not plain.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.mark();
        let length = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        self.advance(length);
        let name = self.since(start)?;
        self.word("\"")?;
        self.take(b':')?;
        Some(name)
    }

    /// Passes over a string and gives what it says, piece by piece. Characters beyond 16 bits are plain only as themselves.
    pub(super) fn string(&mut self, mut piece: impl FnMut(&str)) -> Option<()> {
        self.take(b'"')?;
        loop {
            let start = self.mark();
            let length = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            self.advance(length);
            piece(self.since(start)?);
            if self.skip_if(b'"') {
                return Some(());
            }
            self.advance(1);
            let escape = self.first()?;
            self.advance(1);
            let character = match escape {
                b'"' | b'\\' | b'/' => escape.into(),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => return None,
            };
            piece(character.encode_utf8(&mut [0; 4]));
        }
    }

    /// Four hexadecimal digits. Half of a pair of surrogates is no character.
    fn unicode(&mut self) -> Option<char> {
        let digits: &[u8; 4] = self.rest().first_chunk()?;
        let digit = |code, byte: &u8| Some(code * 16 + char::from(*byte).to_digit(16)?);
        let code = digits.iter().try_fold(0, digit)?;
        self.advance(4);
        char::from_u32(code)
    }

    /// Passes over any value.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_within(MOST_NESTED)
    }

    fn skip_within(&mut self, levels: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(|_| ()),
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'[' => self.skip_all(b']', levels.checked_sub(1)?, |_| Some(())),
            b'{' => self.skip_all(b'}', levels.checked_sub(1)?, |cursor| cursor.name().map(|_| ())),
            _ => super::number::skip(self),
        }
    }

    /// The elements of a list or, behind their names, the members of an object.
    fn skip_all(&mut self, close: u8, levels: usize, name: fn(&mut Self) -> Option<()>) -> Option<()> {
        self.advance(1);
        if self.peek()? == close {
            self.advance(1);
            return Some(());
        }
        loop {
            name(self)?;
            self.skip_within(levels)?;
            if !self.another(close)? {
                return Some(());
            }
        }
    }
}
