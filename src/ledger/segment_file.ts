/**
 * The file of a segment: written at its end, made durable in groups.
 * @module
 */

/** A file that is open for its owner alone; see {@link JournalFolder} for how that is ensured. */
export class SegmentFile {
  /** Where it is. */
  readonly path: string;
  #file: Deno.FsFile | undefined;
  #bytes: number;
  #durable = 0;
  #syncing: Promise<void> | undefined;
  /** Whether the folder's entry of this file is durable. */
  #entered: boolean;
  #removed = false;

  private constructor(path: string, bytes: number, entered: boolean) {
    this.path = path;
    this.#bytes = bytes;
    this.#entered = entered;
  }

  /** A new, empty file. */
  static create(path: string): SegmentFile {
    const made = new SegmentFile(path, 0, false);
    made.#file = Deno.openSync(path, { append: true, createNew: true, mode: 0o600 });
    return made;
  }

  /** A file that is there; it is opened when it is written to. */
  static existing(path: string): SegmentFile {
    const { size } = Deno.statSync(path);
    return new SegmentFile(path, size, true);
  }

  /** Its size. */
  get bytes(): number {
    return this.#bytes;
  }

  /** All that stands in it. */
  read(): Uint8Array {
    return Deno.readFileSync(this.path);
  }

  /** Cuts off what stands behind `bytes`. */
  truncate(bytes: number): void {
    if (bytes === this.#bytes) return;
    this.#opened().truncateSync(bytes);
    this.#bytes = bytes;
  }

  /**
   * Writes at the end: all of it, or nothing.
   *
   * @throws {Error} If the disk does not take it
   */
  append(bytes: Uint8Array): void {
    const file = this.#opened();
    const before = this.#bytes;
    try {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    } catch (error) {
      file.truncateSync(before);
      throw error;
    }
    this.#bytes = before + bytes.length;
  }

  /** Resolves when what is written now is durable; several calls share one. */
  async sync(): Promise<void> {
    const wanted = this.#bytes;
    while (this.#durable < wanted && !this.#removed) {
      this.#syncing ??= this.#sync().finally(() => this.#syncing = undefined);
      await this.#syncing;
    }
  }

  /** Closes it; it is opened again when it is written to. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Closes it when what is written is durable. */
  async closeDurable(): Promise<void> {
    await this.sync();
    this.close();
  }

  /** Removes it. */
  remove(): void {
    this.#removed = true;
    this.close();
    Deno.removeSync(this.path);
  }

  async #sync(): Promise<void> {
    const written = this.#bytes;
    if (this.#removed) return;
    await this.#opened().syncData();
    if (!this.#entered) await syncFolderOf(this.path);
    this.#entered = true;
    this.#durable = Math.max(this.#durable, written);
  }

  #opened(): Deno.FsFile {
    return this.#file ??= Deno.openSync(this.path, { append: true });
  }
}

/** A file that was made is there after a power cut only once its folder is durable too. */
async function syncFolderOf(path: string): Promise<void> {
  if (Deno.build.os === "windows") return; // folders are no files there
  const folder = await Deno.open(path.slice(0, path.lastIndexOf("/")) || "/");
  try {
    await folder.sync();
  } finally {
    folder.close();
  }
}
