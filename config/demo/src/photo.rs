//! Photographs: small PNG pictures, each different, drawn from chance. Nobody is in them.

use crate::random::Random;

const SIDE: usize = 48;
const CELLS: usize = 8;

/// A picture of 48 by 48 points in two colours, mirrored like a face.
#[must_use]
pub fn draw(random: &mut Random) -> Vec<u8> {
    let pattern = random.draw();
    let colour = random.draw().to_be_bytes();
    let mut png = vec![0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A];
    let side = u8::try_from(SIDE).unwrap_or(u8::MAX);
    // Width, height, one bit a point, a palette, and the only methods that there are (PNG, 11.2.1).
    chunk(&mut png, b"IHDR", &[0, 0, 0, side, 0, 0, 0, side, 1, 3, 0, 0, 0]);
    chunk(&mut png, b"PLTE", &[0xF4, 0xF1, 0xEA, colour[0] / 2, colour[1] / 2, colour[2] / 2]);
    chunk(&mut png, b"IDAT", &stored(&points(pattern)));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn points(pattern: u64) -> Vec<u8> {
    let mut points = Vec::with_capacity(SIDE * (1 + SIDE / 8));
    for y in 0..SIDE {
        points.push(0); // No filter.
        for eight in 0..SIDE / 8 {
            let mut byte = 0u8;
            for bit in 0..8 {
                let cell_x = (eight * 8 + bit) * CELLS / SIDE;
                let mirrored = cell_x.min(CELLS - 1 - cell_x);
                let cell = (y * CELLS / SIDE) * (CELLS / 2) + mirrored;
                byte = byte << 1 | u8::from(pattern >> cell & 1 == 1);
            }
            points.push(byte);
        }
    }
    points
}

/// A zlib stream (RFC 1950) of one stored block (RFC 1951, 3.2.4): a picture so small gains nothing from more.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend_from_slice(&length.to_le_bytes());
    stream.extend_from_slice(&(!length).to_le_bytes());
    stream.extend_from_slice(data);
    stream.extend_from_slice(&adler32(data).to_be_bytes());
    stream
}

fn chunk(png: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    png.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let start = png.len();
    png.extend_from_slice(name);
    png.extend_from_slice(data);
    let sum = crc32(&png[start..]);
    png.extend_from_slice(&sum.to_be_bytes());
}

fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    b << 16 | a
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        let place = usize::from(crc.to_le_bytes()[0] ^ byte);
        CRC_TABLE[place] ^ crc >> 8
    })
}

const CRC_TABLE: [u32; 256] = crc_table();

const fn crc_table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut place = 0;
    while place < 256 {
        let mut crc = place as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ crc >> 1 } else { crc >> 1 };
            bit += 1;
        }
        table[place] = crc;
        place += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }

    #[test]
    fn a_picture_is_a_png_of_some_hundred_bytes() {
        let png = draw(&mut Random::new(1, "photo"));
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(png.ends_with(&[b'I', b'E', b'N', b'D', 0xAE, 0x42, 0x60, 0x82]));
        assert!((300..1_000).contains(&png.len()), "{}", png.len());
    }
}
