/** For tests: a process that writes receipts and nothing else, with the SQL of the process that started it. */

import { connect } from 'holdfast'
import { createCatalogue } from '../catalogue/catalogue.ts'
import { parentDatabase } from '../database/ipc.ts'
import { Figures } from '../figures/figures.ts'
import { openPost } from '../mail/post.ts'
import { createReceipts } from './receipts.ts'

const [url = '', namespace = '', smtp = '', lease = ''] = process.argv.slice(2)
const db = parentDatabase()
const hf = await connect(url, { namespace })
const figures = new Figures()
const post = openPost({ smtp: { url: smtp }, folder: undefined })
process.on('disconnect', () => process.exit())
createReceipts({ hf, db, catalogue: createCatalogue(hf, db, figures), figures, post, lease: lease as '1s' }).start()
