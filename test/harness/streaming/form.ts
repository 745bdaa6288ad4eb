/** A form with one file, as `curl -F file=@name` sends it. @returns body and media type */
export function form(file: string | Buffer, name = 'file.csv'): readonly [body: Buffer, type: string] {
  const boundary = '----------------------------0123456789';
  return [
    Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n`),
      Buffer.from('Content-Type: application/octet-stream\r\n\r\n'),
      Buffer.from(file as string),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
    `multipart/form-data; boundary=${boundary}`,
  ];
}
